"""Progress of long work: a bar on a terminal, a line now and then in a log, and nothing of short work."""

import io
import sys

import pytest

from speechvq.runtime import progress as shown
from speechvq.runtime.progress import counter, progress


class Terminal(io.StringIO):
    """Where bars are drawn."""

    def isatty(self) -> bool:
        return True


def test_short_work_says_nothing_in_a_log(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(progress("abc", total=3, label="spell")) == list("abc")
    assert capsys.readouterr() == ("", "")


def test_a_log_gets_lines(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    clock = iter(range(0, 1_000, 10))
    monkeypatch.setattr(shown.time, "monotonic", lambda: next(clock))
    list(progress("abcd", total=4, label="spell", unit="letters"))
    assert (
        capsys.readouterr().err == "spell: 2/4 letters, about 20 s left\nspell: 4/4 letters, about 0 s left\n"
    )


def test_what_counts_for_itself_stays_within_its_length(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1_000, 20))
    monkeypatch.setattr(shown.time, "monotonic", lambda: next(clock))
    with counter(2.5, label="2 sounds", unit="s of sound") as count:
        for done in (0, 1.0, 2.52):
            count(done)
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "2 sounds: 1.0/2.5 s of sound, about 60 s left",
        "2 sounds: 2.5/2.5 s of sound, about 0 s left",
    ]


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    assert list(progress("abc", total=3, label="spell", unit="letters")) == list("abc")
    assert "spell:   0%" in terminal.getvalue() and "\n" not in terminal.getvalue()


def test_a_bar_ends_when_the_work_breaks_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with pytest.raises(KeyboardInterrupt), counter(2.5, label="2 sounds", unit="s") as count:
        count(1)
        raise KeyboardInterrupt
    assert terminal.getvalue().endswith("\r")
