"""Log records of the package: plain lines on stderr while a command runs, untouched settings afterwards."""

import io
import logging
import sys

import pytest

from speechvq.runtime.logging import log_to_stderr, logger
from speechvq.runtime.progress import progress


def test_a_command_writes_one_line_per_record(capsys: pytest.CaptureFixture[str]) -> None:
    with log_to_stderr():
        logger.info("step %d", 3)
        logger.warning("skipped: a.wav")
        logger.debug("not shown")
    assert capsys.readouterr() == ("", "step 3\nskipped: a.wav\n")


def test_a_configured_root_logger_does_not_repeat_the_line(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with log_to_stderr():
        logger.info("step 3")
    assert capsys.readouterr().err == "step 3\n" and not caplog.records


def test_settings_are_restored() -> None:
    before = (logger.level, logger.propagate, list(logger.handlers))
    with pytest.raises(KeyboardInterrupt), log_to_stderr():
        raise KeyboardInterrupt
    assert (logger.level, logger.propagate, list(logger.handlers)) == before


def test_a_program_that_imports_the_package_configures_logging_itself(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO):
        logger.info("step 3")
    assert [record.message for record in caplog.records] == ["step 3"] and capsys.readouterr().err == ""


def test_a_line_does_not_damage_a_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is cleared first, so the line starts in the first column."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    with log_to_stderr():
        for _ in progress("ab", total=2, label="spell"):
            logger.warning("skipped: a.wav")
    assert "\rskipped: a.wav\n" in terminal.getvalue()
