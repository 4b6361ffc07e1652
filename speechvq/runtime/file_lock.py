"""Locks between processes: a lock of the operating system on an open file.

The lock ends when the file is closed or its process ends, even if that was killed. It also holds between
computers that share a folder, as far as their file system supports locks.
"""

import errno
import os

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

IS_SUPPORTED = fcntl is not None  # by the operating system; not every file system has locks
_LOCKED = (errno.EACCES, errno.EAGAIN)


def lock_file(descriptor: int, *, wait: bool) -> bool:
    """Lock an open file for this process alone.

    Args:
        descriptor: of the file, open for writing. Closing any descriptor of the file ends the lock.
        wait: wait while another process holds the lock.

    Returns:
        Whether the file is locked; false on a system or a file system without such locks.

    Raises:
        BlockingIOError: another process holds the lock; only without `wait`.
    """
    if fcntl is None:
        return False
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except OSError as error:
        if error.errno in _LOCKED and not wait:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from None
        return False
    return True
