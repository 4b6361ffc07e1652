"""The lock on an output folder: one process at a time writes results of a kind into it."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speechvq.errors import UserError
from speechvq.io.atomic import writing
from speechvq.runtime.logging import logger

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_LOCKED = (errno.EACCES, errno.EAGAIN)


@contextmanager
def folder_lock(folder: Path, work: str) -> Iterator[None]:
    """Hold the lock `.WORK.lock` of a folder during the block.

    The lock is one of the operating system's, so it ends with its process, even if that was killed. It also
    holds between computers that share a folder, as far as their file system supports locks; without support
    there is no lock. The file contains the process number, for the message.

    Args:
        folder: created if missing. A folder that this call created is removed if it stays empty.
        work: name of the work that excludes itself, for example "train".

    Raises:
        UserError: another process holds the lock, or the folder is not writable.
    """
    missing = [place for place in (folder, *folder.parents) if not place.exists()]
    path = folder / f".{work}.lock"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _open_locked(path, folder)
    try:
        yield
    finally:
        try:
            path.unlink(missing_ok=True)  # while it is held, so that nobody else's file is removed
            for place in missing:
                place.rmdir()
        except OSError:  # results are in the folder, or it was removed
            pass
        os.close(descriptor)


def _open_locked(path: Path, folder: Path) -> int:
    """Descriptor of the locked file."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if fcntl is None:
            return descriptor
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            if error.errno in _LOCKED:
                raise UserError(
                    f"{folder}: process {owner} writes into this folder; wait until it has ended, or choose "
                    "another --out"
                ) from None
            logger.warning("warning: %s: no lock (%s); start no second process", folder, error.strerror)
            return os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        if _is_same_file(path, descriptor):
            os.truncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            return descriptor
        os.close(descriptor)  # its owner removed it between the two calls


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
