"""Messages that the MP3 decoder of libsndfile prints on stderr, past Python."""

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock

_PREFIX = re.compile(r"(Note|Warning|Error): |\[src/|\s*$")  # of the lines that mpg123 prints
_ONE_AT_A_TIME = Lock()  # stderr belongs to the whole process


@contextmanager
def collected_messages(path: Path) -> Iterator[list[str]]:
    """Collect the lines that the decoder of an MP3 file prints, instead of showing them.

    mpg123 cannot be told to be quiet through libsndfile, so file descriptor 2 is redirected while the file is
    read. What another thread writes meanwhile is passed on. Files of other formats are not affected.

    Yields:
        The lines; filled when the context ends.
    """
    lines: list[str] = []
    if not _is_mpeg(path):
        yield lines
        return
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as collected:
        try:
            original = os.dup(2)
        except OSError:  # the process has no stderr
            yield lines
            return
        _flush()
        os.dup2(collected.fileno(), 2)
        try:
            yield lines
        finally:
            _flush()
            os.dup2(original, 2)
            os.close(original)
            collected.seek(0)
            for line in collected.read().decode(errors="replace").splitlines(keepends=True):
                if not _PREFIX.match(line):
                    os.write(2, line.encode())
                elif line.strip():
                    lines.append(line.strip())


def _is_mpeg(path: Path) -> bool:
    """Whether a file begins with an ID3 tag or the sync word of MPEG audio."""
    try:
        with path.open("rb") as file:
            start = file.read(3)
    except OSError:
        return False
    return start == b"ID3" or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE0 == 0xE0)


def _flush() -> None:
    if sys.stderr is not None:
        sys.stderr.flush()
