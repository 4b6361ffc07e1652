"""Progress of long work: a bar on a terminal, a line now and then in a log, and no output for short work."""

import io
import sys
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


def test_a_log_gets_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    list(progress("abcd", total=4, label="spell", unit="letters"))
    assert (
        capsys.readouterr().err == "spell: 2/4 letters, about 20 s left\nspell: 4/4 letters, about 0 s left\n"
    )


def test_a_counter_stays_within_its_total(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1_000, 20))
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: next(clock))
    with counter(2.5, label="2 recordings", unit="s of audio") as count:
        for done in (0, 1.0, 2.52):
            count(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "2 recordings: 1.0/2.5 s of audio, about 60 s left",
        "2 recordings: 2.5/2.5 s of audio, about 0 s left",
    ]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert list(progress("abc", total=3, label="spell", unit="letters")) == list("abc")
    assert "spell:   0%" in terminal.getvalue() and "\n" not in terminal.getvalue()


def test_a_bar_is_removed_when_the_work_is_interrupted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with pytest.raises(KeyboardInterrupt), counter(2.5, label="2 recordings", unit="s") as count:
        count(1)
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\r")
