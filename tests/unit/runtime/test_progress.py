"""Progress of long work: a bar on a terminal, a line now and then in a log, and no output for short work."""

import io
import sys
import threading
from collections.abc import Iterator

import pytest

from speechvq.runtime import progress as progress_module
from speechvq.runtime.logging import log_to_stderr
from speechvq.runtime.progress import counter, progress


class Terminal(io.StringIO):
    """A stream on which bars are drawn."""

    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def as_in_a_command() -> Iterator[None]:
    """Log records go to stderr."""
    with log_to_stderr():
        yield


def test_short_work_logs_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress("abc", total=3, label="spell")) == list("abc")
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_lines_while_one_item_takes_long(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(progress_module, "FIRST_LINE", 0.01)
    written = threading.Event()
    monkeypatch.setattr(progress_module.logger, "info", lambda *_: written.set())
    with counter(4, label="spell", unit="letters"):
        assert written.wait(10)  # nothing is done yet


def estimate_after(*steps: tuple[float, float], total: float = 100) -> progress_module._Estimate:
    """An estimate after (second, amount done) each."""
    now = [0.0]
    made = progress_module._Estimate(total, lambda: now[0])
    for now[0], made.done in steps:
        pass
    return made


def test_the_time_left_is_estimated_once_that_means_something() -> None:
    assert progress_module._line(estimate_after(), "letters") == "0/100 letters"
    assert progress_module._line(estimate_after((5, 0)), "letters") == "0/100 letters"
    slow_start = estimate_after((60, 1), (69, 50))  # a minute of compilation, then nine seconds
    assert progress_module._line(slow_start, "letters") == "50/100 letters"
    assert estimate_after((60, 1), (75, 2)).seconds_left() is None  # one item of a hundred
    assert estimate_after((60, 10), (80, 50)).seconds_left() == pytest.approx(25)
    assert progress_module._line(estimate_after((60, 10), (80, 50)), "it") == "50/100 it, about 25 s left"
    assert progress_module._line(estimate_after((0, 0.5), (80, 2.52), total=2.5), "s") == (
        "2.5/2.5 s, about 0 s left"
    )


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert list(progress("abc", total=3, label="spell", unit="letters")) == list("abc")
    assert "spell:   0%" in terminal.getvalue() and "\n" not in terminal.getvalue()
    assert "?" not in terminal.getvalue() and "<" not in terminal.getvalue()  # no estimate of the time left


def test_a_bar_is_removed_when_the_work_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with pytest.raises(KeyboardInterrupt), counter(2.5, label="2 recordings", unit="s") as count:
        count(1)
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\r")
