"""Opening of files that a user or another program wrote."""

import errno
import io
import os
import stat
from pathlib import Path
from typing import BinaryIO

PERMISSION_REMEDY = "no permission to read it; change its mode or owner"


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; reading a pipe or device could block, or take unbounded memory.

    Raises:
        OSError: the file is missing, not readable, or no regular file; `strerror` is the reason.
    """
    # Without O_NONBLOCK, opening a pipe waits for its writer. It has no effect on regular files.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "a pipe or device, not a file", str(path))
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_regular(path: Path) -> bytes:
    """Content of a regular file.

    Raises:
        OSError: see `open_regular`.
    """
    with open_regular(path) as file:
        return file.read()


def read_regular_text(path: Path, *, errors: str = "strict") -> str:
    """UTF-8 text of a regular file, without a byte order mark; all line ends become "\\n".

    Raises:
        OSError: see `open_regular`.
        UnicodeDecodeError: not UTF-8, and `errors` is "strict".
    """
    with open_regular(path) as file, io.TextIOWrapper(file, "utf-8-sig", errors) as text:
        return text.read()
