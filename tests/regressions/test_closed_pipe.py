"""`convert ... | head -1` ended with a traceback of BrokenPipeError."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import speechvq

WORK = """
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.runtime.logging import logger
def work(arguments):
    for number in range(20_000):
        print(f"file {number}", flush=number == 9)
    logger.warning("a warning")
    open("finished", "w").close()
raise SystemExit(run(CommandParser("test"), work, []))
"""


ROOT = str(Path(speechvq.__file__).parents[1])


def start(folder: Path, unbuffered: str, **streams: Any) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": ROOT, "PYTHONUNBUFFERED": unbuffered}
    command = [sys.executable, "-c", WORK]
    return subprocess.run(command, env=environment, cwd=folder, text=True, timeout=300, **streams)


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_the_work_continues_without_its_reader(unbuffered: str, tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    ended = start(tmp_path, unbuffered, stdout=writer, stderr=subprocess.PIPE)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (0, "a warning\n") and (tmp_path / "finished").exists()


def test_the_work_continues_without_a_reader_of_either_stream(tmp_path: Path) -> None:
    """As in `convert ... 2>&1 | head -1`."""
    reader, writer = os.pipe()
    os.close(reader)
    ended = start(tmp_path, "", stdout=writer, stderr=writer)
    os.close(writer)
    assert ended.returncode == 0 and (tmp_path / "finished").exists()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_gets_every_line(unbuffered: str, tmp_path: Path) -> None:
    ended = start(tmp_path, unbuffered, capture_output=True)
    assert ended.stdout.split("\n") == [*(f"file {number}" for number in range(20_000)), ""]
