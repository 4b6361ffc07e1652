"""What every command does around its work: exit codes, logging, and one line for a user's mistake."""

import argparse
import io
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from speechvq.cli.loading_notice import loading_notice
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError
from speechvq.runtime.logging import log_to_stderr, logger

SUCCESS, USER_MISTAKE = 0, 2
INTERRUPTED = 130  # the exit code that shells report after Ctrl-C


def run(
    parser: CommandParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None,
    *,
    resumes: bool = False,
) -> int:
    """Parse `argv`, run the command's work, and turn a user's mistake or Ctrl-C into one line on stderr.

    Results go to stdout. If its reader is gone, as in `... | head -1`, the work continues without it. Log
    records of the package go to stderr.

    Args:
        parser: its `label` names the command in error lines.
        work: the command's work; raises UserError for a user's mistake; may return its own exit code.
        argv: arguments without the program's name; None takes those of the command line.
        resumes: whether the same command continues where an interrupted one stopped.

    Returns:
        0 or the exit code of `work`, 2 after a UserError, 130 after Ctrl-C.
    """
    _escape_unprintable_names()
    with _closed_pipe_ignored(), log_to_stderr(), loading_notice():
        try:
            return work(parser.parse_args(argv)) or SUCCESS
        except UserError as error:
            line = " ".join(str(error).splitlines())  # a file's name may contain line breaks
            logger.error("%s: error: %s", parser.label, line)
            return USER_MISTAKE
        except KeyboardInterrupt:
            more = "; the same command continues where this one stopped" if resumes else ""
            logger.error("%s: interrupted%s", parser.label, more)
            return INTERRUPTED


def _escape_unprintable_names() -> None:
    """Print file names that the terminal's encoding lacks with escapes, as stderr does already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def _closed_pipe_ignored() -> Iterator[None]:
    """Drop what is printed to a pipe whose reader is gone, instead of raising BrokenPipeError.

    The stream remains as it is if it is no file, for example in a notebook.
    """
    original = sys.stdout
    buffer = getattr(original, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED, the buffer is the file itself
    if not isinstance(original, io.TextIOWrapper) or not isinstance(raw, io.FileIO):
        yield
        return
    original.flush()
    droppable: Any = _Droppable(raw)
    replacement = io.TextIOWrapper(
        droppable if buffer is raw else io.BufferedWriter(droppable),
        encoding=original.encoding,
        errors=original.errors,
        line_buffering=original.line_buffering,
        write_through=original.write_through,
    )
    sys.stdout = replacement
    try:
        yield
    finally:
        sys.stdout = original
        replacement.flush()


class _Droppable(io.RawIOBase):
    """Writes to a file; drops the bytes if it is a pipe without a reader."""

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """Number of the file."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal."""
        return self._raw.isatty()

    def write(self, content: Any) -> int | None:
        """Write bytes; returns their number."""
        try:
            return self._raw.write(content)
        except BrokenPipeError:
            return memoryview(content).nbytes
