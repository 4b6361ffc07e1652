"""Commands by an engine that sends all it works on, as a cluster does, beside the local engine."""

import pickle
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from helpers.engine_commands import contents, engine_commands, write_inputs
from speechvq.runtime import ray_engine
from speechvq.runtime.engine import Item, Result, Work


class SendingEngine:
    """Sends the listing, the work, each utterance and each result through bytes."""

    is_local = False

    def map(self, work: Work[Item, Result], items: Iterable[Item]) -> Iterator[Result]:
        function = sent(work).start()
        for item in sent(items):
            yield sent(function(sent(item)))


def sent(value: Item) -> Item:
    return pickle.loads(pickle.dumps(value))


@pytest.fixture(scope="module")
def place(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("engines")
    write_inputs(folder, corpus)
    return folder


@pytest.fixture(autouse=True)
def sending_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def opened(address: str | None, jobs: int | None) -> Iterator[SendingEngine]:
        yield SendingEngine()

    monkeypatch.setattr(ray_engine, "ray_engine", opened)


RESULTS = {"encode": "codes/", "codebook": "codebook.json", "purity": "purity.json", "prepare": "data/"}


@pytest.mark.parametrize("name", RESULTS)
def test_the_results_of_both_engines_are_equal(name: str, place: Path) -> None:
    for command, words in engine_commands(place, "sent")[name]:
        assert command([*words, "--engine", "ray"]) == 0
    expected, made = (
        {path: data for path, data in contents(place / results).items() if path.startswith(RESULTS[name])}
        for results in ("local", "sent")
    )
    assert made == expected and made
