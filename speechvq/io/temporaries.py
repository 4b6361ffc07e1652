"""Names of temporary files and folders, and the removal of those that dead processes left.

A name holds the computer, the process and a random number: `.part-HOST-PID-RANDOM.npy`. So a process can
tell which of them nobody will finish: those of processes of this computer that have ended. Temporaries of
other computers, and of containers with process numbers of their own, stay.
"""

import hashlib
import os
import re
import shutil
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

_NAME = re.compile(r"\.part-(?P<host>[0-9a-f]{8})-(?P<pid>\d+)-[0-9a-f]{12}")
_active: set[str] = set()  # names in use by this process
_searched: set[tuple[int, Path]] = set()  # process and folder, so that a forked process searches again


@contextmanager
def temporary_name(path: Path) -> Iterator[Path]:
    """Yield a new name beside `path`, with its extension. Nothing is created; the caller removes the file."""
    name = f".part-{_host()}-{os.getpid()}-{uuid.uuid4().hex[:12]}{path.suffix[:16]}"
    _active.add(name)
    try:
        yield path.parent / name
    finally:
        _active.discard(name)


def remove_left_temporaries(folder: Path) -> None:
    """Remove the temporary files and folders of dead processes from a folder, once per process and folder."""
    key = (os.getpid(), folder)
    if key in _searched:
        return
    _searched.add(key)
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.name.startswith(".part-")]
    except OSError:
        return
    for name in filter(_is_left, names):
        path = folder / name
        try:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        except OSError:  # removed by another process, or read-only
            pass


def _is_left(name: str) -> bool:
    """Whether a temporary is of a process that has ended."""
    found = _NAME.match(name)
    if found is None or found["host"] != _host():
        return False
    pid = int(found["pid"])
    if pid == os.getpid():  # of this process, or of a dead one that had the same number
        return name not in _active
    return not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # it belongs to somebody else
        return True
    return True


@cache
def _host() -> str:
    """Eight hexadecimal digits for the computer and its table of processes; containers have their own."""
    try:
        table = os.readlink("/proc/self/ns/pid")
    except OSError:
        table = ""
    return hashlib.sha256(f"{socket.gethostname()} {table}".encode()).hexdigest()[:8]
