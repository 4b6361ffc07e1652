"""A lock between processes: one holds it, the others are refused or wait, and it ends with its process."""

import errno
import os
import signal
import subprocess
from pathlib import Path

import pytest

from helpers.tiny import python
from speechvq.runtime import file_lock
from speechvq.runtime.file_lock import lock_file

HOLD = """
import os, sys
from speechvq.runtime.file_lock import lock_file
descriptor = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
print(lock_file(descriptor, wait=False), flush=True)
input()
"""


def test_one_process_holds_it_until_it_ends(tmp_path: Path) -> None:
    process = python("-c", HOLD, str(tmp_path / "lock"), stdin=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == "True\n"
    descriptor = os.open(tmp_path / "lock", os.O_RDWR)
    with pytest.raises(BlockingIOError):
        lock_file(descriptor, wait=False)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert lock_file(descriptor, wait=False)
    os.close(descriptor)


def test_waiting_ends_when_the_other_closes_the_file(tmp_path: Path) -> None:
    descriptor = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    assert lock_file(descriptor, wait=True)
    process = python(
        "-c", HOLD.replace("wait=False", "wait=True"), str(tmp_path / "lock"), stdin=subprocess.PIPE
    )
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    os.close(descriptor)
    assert process.communicate("\n", timeout=20)[0] == "True\n"


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks(
    number: int, wait: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(file_lock.fcntl, "lockf", refuse)
    with open(tmp_path / "lock", "w") as file:
        assert not lock_file(file.fileno(), wait=wait)


def test_a_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_lock, "fcntl", None)
    with open(tmp_path / "lock", "w") as file:
        assert not lock_file(file.fileno(), wait=True)
