"""A program started by the launcher ends with its parent process and otherwise behaves the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from speechvq.video.world.child_process import die_with_parent

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux supports it")

# Starts what it is given as a library would, says its number, and waits.
STARTER = "import subprocess, sys; print(subprocess.Popen(sys.argv[1:]).pid, flush=True); sys.stdin.read()"


def state(process: int) -> str:
    """The state letter in /proc, or "gone"; a zombie counts as ended."""
    try:
        letter = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "gone"
    return "gone" if letter in "ZX" else letter


def test_arguments_and_the_exit_code_are_passed_on(tmp_path: Path) -> None:
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    program = die_with_parent(sys.executable, folder)
    code = "import sys; print(sys.argv[1:]); sys.exit(3)"
    done = subprocess.run([program, "-c", code, "a b", "'"], capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr, done.returncode) == ("""['a b', "'"]\n""", "", 3)


def test_the_child_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    program = die_with_parent("/bin/sleep", tmp_path)
    command = [sys.executable, "-c", STARTER, str(program), "60"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        until = time.monotonic() + 20
        while "sleep" not in Path(f"/proc/{child}/comm").read_text() and time.monotonic() < until:
            time.sleep(0.01)  # it still becomes the program
        assert state(child) != "gone"
        parent.send_signal(signal.SIGKILL)
        while state(child) != "gone" and time.monotonic() < until:
            time.sleep(0.01)
        assert state(child) == "gone"


def test_a_program_without_the_launcher_survives(tmp_path: Path) -> None:
    """Shows that the kernel does not end orphans by itself, so the test above is valid."""
    command = [sys.executable, "-c", STARTER, "/bin/sleep", "60"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        parent.send_signal(signal.SIGKILL)
    time.sleep(0.1)
    assert state(child) != "gone"
    os.kill(child, signal.SIGKILL)
