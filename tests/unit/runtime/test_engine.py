"""Engines: order, one start per process, mistakes of users, and which engine the flags choose."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import speechvq
from speechvq.errors import UserError
from speechvq.runtime.engine import LocalEngine, Work
from speechvq.runtime.engine_choice import open_engine
from speechvq.runtime.ray_engine import RayEngine
from speechvq.runtime.ray_tasks import Attempts, Done, Setting, Worker, list_batches


class Squares(Work[int, tuple[int, int]]):
    """The square of a number, and how often this process has started the work; 7 is a mistake."""

    batch_size = 4

    def __init__(self) -> None:
        self.starts = 0

    def start(self) -> Callable[[int], tuple[int, int]]:
        self.starts += 1
        return self._square

    def lost(self, item: int, reason: str) -> tuple[int, int]:
        raise UserError(f"{item}: {reason}")

    def _square(self, number: int) -> tuple[int, int]:
        if number == 7:
            raise UserError("7: cannot be read")
        return number**2, self.starts


@pytest.mark.parametrize("jobs", [1, 2])
def test_results_are_in_order_and_each_process_starts_once(jobs: int) -> None:
    numbers = range(10, 40)
    assert list(LocalEngine(jobs).map(Squares(), numbers)) == [(n**2, 1) for n in numbers]


def test_items_are_taken_as_they_are_needed() -> None:
    taken: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(100, 1_000_000_000):
            taken.append(number)
            yield number

    results = LocalEngine(1).map(Squares(), numbers())
    assert next(results)[0] == 10_000 and len(taken) < 20


def test_a_mistake_ends_the_work() -> None:
    results = LocalEngine(1).map(Squares(), range(5, 10))
    assert [next(results)[0], next(results)[0]] == [25, 36]
    with pytest.raises(UserError, match="7: cannot be read"):
        next(results)


def test_an_address_needs_the_ray_engine() -> None:
    with pytest.raises(UserError, match="--address auto: of a Ray cluster; add --engine ray"):
        with open_engine("local", "auto"):
            pass


def test_the_ray_engine_needs_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(UserError, match=r"needs the extra 'ray' .*: pip install 'speechvq\[ray\]'"):
        with open_engine("ray"):
            pass


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1:99999", "nowhere", "ray://h:1"])
def test_an_unreachable_cluster_is_one_line(address: str) -> None:
    pytest.importorskip("ray", reason="the extra ray is not installed")
    with pytest.raises(UserError, match=f"^--address {address}: (no Ray cluster answers|give HOST:PORT)"):
        with open_engine("ray", address):
            pass


def test_work_whose_results_are_not_taken_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of Ray Data that go on after Ray has been shut down would start it again."""
    pytest.importorskip("ray", reason="the extra ray is not installed")
    ended = []

    class Rows:
        def iter_rows(self) -> Iterator[dict[str, Done]]:
            try:
                while True:
                    yield {"done": Done([1, 2], [])}
            finally:
                ended.append(True)

    monkeypatch.setattr(RayEngine, "_dataset", lambda *_: Rows())
    engine = RayEngine()
    results = engine.map(Squares(), [])
    assert next(results) == 1 and not ended
    engine.close()
    assert ended == [True]


def test_batches_end_with_the_mistake_of_the_listing() -> None:
    def numbers() -> Iterator[int]:
        yield from range(8)
        raise UserError("no such file")

    batches = list(list_batches(numbers(), 4, os.getcwd()))
    assert [(each.number, each.items, each.mistake) for each in batches] == [
        (0, [0, 1, 2, 3], ""),
        (1, [4, 5, 6, 7], ""),
        (2, [], "no such file"),
    ]


def test_batches_grow_to_four_times_the_first() -> None:
    batches = [each.items for each in list_batches(range(2_000), 4, os.getcwd())]
    assert [item for batch in batches for item in batch] == list(range(2_000))
    sizes = list(map(len, batches[:-1]))
    assert sizes[:9] == [4] * 8 + [5] and sizes == sorted(sizes) and sizes[-1] == 16


def test_an_utterance_is_blamed_for_deaths_only_when_it_was_alone() -> None:
    attempts = Attempts()
    assert attempts.begin(3) is None  # the first attempt, of the whole batch
    assert attempts.begin(3) == {}
    attempts.announce(3, 1)
    assert attempts.begin(3) == {1: 1}
    attempts.announce(3, 1)
    assert attempts.begin(3) == {1: 2} and attempts.begin(4) is None
    attempts.end(3)
    assert attempts.begin(3) is None


def test_a_worker_of_another_version_refuses(tmp_path: Path) -> None:
    worker = Worker(Setting(None, None, str(tmp_path), "0.0.0"))
    [batch] = list_batches([1], 4, os.getcwd())
    assert "the command is of 0.0.0; install that" in worker.results(batch).mistake


def test_a_worker_needs_the_folder_of_the_command(tmp_path: Path) -> None:
    worker = Worker(Setting(None, None, str(tmp_path / "absent"), speechvq.__version__))
    [batch] = list_batches([1], 4, os.getcwd())
    assert "mount it on all computers of the cluster" in worker.results(batch).mistake
