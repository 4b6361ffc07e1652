"""Ctrl-C while a library read weights: "damaged file", exit code 2; the library replaced the exception."""

import argparse
import signal

import pytest

from speechvq.cli import command
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError


@pytest.mark.parametrize("signum, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("replaced", [UserError("a.safetensors: damaged"), RuntimeError("of a library")])
def test_a_signal_that_arrives_as_another_error_is_an_interruption(
    signum: int, code: int, replaced: Exception, capsys: pytest.CaptureFixture[str]
) -> None:
    def work(_: argparse.Namespace) -> None:
        try:
            signal.raise_signal(signum)
        except KeyboardInterrupt:
            raise replaced from None

    assert command.run(CommandParser("convert", "a test"), work, []) == code
    [line] = capsys.readouterr().err.splitlines()
    assert line in ("speechvq.convert: interrupted", "speechvq.convert: terminated")
