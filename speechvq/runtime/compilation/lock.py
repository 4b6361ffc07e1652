"""One process at a time loads, compiles and caches a numba function; the others wait.

numba locks compilation between the threads of a process, but not between processes. A generalized ufunc, such
as those that librosa compiles when it is imported, is cached in two parts: the kernel, and a wrapper that
calls the kernel by a name that differs from process to process. If two processes compile into one empty
cache, the kernel of one and the wrapper of the other can remain, and a later process that loads both crashes.
numba also rewrites the whole list of a function's compiled signatures, so if two processes save at once, the
signature of one is lost.

numba sends an event before it takes its lock, and another one after it has released it. The listener here
holds a lock of the operating system between the two. The other processes then load what one has saved.
"""

import os
import threading
import time
from pathlib import Path
from typing import Any

from speechvq.runtime.file_lock import lock_file
from speechvq.runtime.logging import logger

POLL_S = 0.01
NOTICE_S = 3.0  # a message appears after waiting this long


class CompileLock:
    """A reentrant lock between processes and between threads.

    Args:
        path: the file that is locked, created if missing.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._threads = threading.RLock()
        self._own = threading.local()  # depth: how often this thread has taken the lock
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Wait until no other thread and no other process holds the lock."""
        self._threads.acquire()
        depth = getattr(self._own, "depth", 0)
        try:
            if not depth:
                self._descriptor = _open_locked(self.path)
        except BaseException:  # a signal while it waits
            self._threads.release()
            raise
        self._own.depth = depth + 1

    def release(self) -> None:
        """Release the lock after as many calls as there were of `acquire`; without any, do nothing."""
        depth = getattr(self._own, "depth", 0)
        if not depth:  # installed while numba held its lock
            return
        self._own.depth = depth - 1
        if depth == 1 and self._descriptor is not None:
            os.close(self._descriptor)  # the lock ends with it
            self._descriptor = None
        self._threads.release()


_installed: list[CompileLock] = []  # at most one


def lock_compilation(folder: Path) -> None:
    """Hold the lock of a cache folder while numba loads, compiles or saves, from now on. Imports numba.

    Args:
        folder: numba's cache. The lock is its file `lock`. If the folder cannot be written, there is no lock,
            and numba saves nothing either.
    """
    from numba.core import event

    class Listener(event.Listener):
        """Takes and releases the lock at the events of numba's lock."""

        def __init__(self, lock: CompileLock) -> None:
            self.lock = lock

        def on_start(self, event: Any) -> None:
            """numba is about to take its lock."""
            self.lock.acquire()

        def on_end(self, event: Any) -> None:
            """numba has released its lock."""
            self.lock.release()

    if _installed:
        _installed[0].path = folder / "lock"
        return
    _installed.append(CompileLock(folder / "lock"))
    event.register("numba:compiler_lock", Listener(_installed[0]))


def _open_locked(path: Path) -> int | None:
    """Descriptor of the locked file; None where files cannot be locked or written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        return None
    is_locked = False
    try:
        is_locked = _wait_for_lock(descriptor, path)
    finally:
        if not is_locked:
            os.close(descriptor)
    return descriptor if is_locked else None


def _wait_for_lock(descriptor: int, path: Path) -> bool:
    """Whether the file is locked in the end; false on a file system without locks."""
    since, is_logged = time.monotonic(), False
    while True:
        try:
            return lock_file(descriptor, wait=False)
        except BlockingIOError:
            pass
        if not is_logged and time.monotonic() - since > NOTICE_S:
            logger.warning("waiting for another process that compiles (it holds %s) ...", path)
            is_logged = True
        time.sleep(POLL_S)
