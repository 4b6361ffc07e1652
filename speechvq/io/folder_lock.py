"""The lock on an output folder: one process at a time writes results of a kind into it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speechvq.errors import UserError
from speechvq.io.atomic import writing
from speechvq.runtime.file_lock import IS_SUPPORTED, lock_file
from speechvq.runtime.logging import logger


@contextmanager
def folder_lock(folder: Path, work: str) -> Iterator[None]:
    """Hold the lock `.WORK.lock` of a folder during the block.

    The lock ends with its process, see `runtime.file_lock`. Where files cannot be locked there is none. The
    file contains the process number, for the message.

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
        try:
            is_locked = lock_file(descriptor, wait=False)
        except BlockingIOError:
            owner = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
            os.close(descriptor)
            raise UserError(
                f"{folder}: process {owner} writes into this folder; wait until it has ended, or choose "
                "another --out"
            ) from None
        if not is_locked:
            if IS_SUPPORTED:
                logger.warning("warning: %s: files cannot be locked here; start no second process", folder)
            return descriptor
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
