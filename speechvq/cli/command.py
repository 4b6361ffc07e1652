"""What every command does around its work: exit codes, logging, and one line for a user's mistake.

| exit code | end |
| --- | --- |
| 0 | success; of many inputs, at least one has a result |
| 1 | a crash: a traceback, and a line that asks for a report |
| 2 | a user's mistake: one line; also if none of many inputs has a result |
| 130, 143 | stopped by SIGINT (Ctrl-C) or SIGTERM; what was finished is kept |
"""

import argparse
import errno
import io
import shlex
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import speechvq
from speechvq.cli.loading_notice import loading_notice
from speechvq.cli.parser import CommandParser
from speechvq.errors import UserError
from speechvq.runtime.logging import log_to_stderr, logger
from speechvq.runtime.signals import Stopped, postponed_stop, stop_signals

SUCCESS, CRASH, USER_MISTAKE = 0, 1, 2
INTERRUPTED = 128 + signal.SIGINT  # the exit code that shells report after Ctrl-C
# What the system refuses because of the user's disks and paths; another OSError is a fault of the program.
_USER_ERRNOS = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR,
    errno.ENAMETOOLONG, errno.ELOOP, errno.EIO, errno.EFBIG, errno.EMFILE,
)  # fmt: skip


def run(
    parser: CommandParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None,
    *,
    resumes: bool = False,
) -> int:
    """Parse `argv`, run the command's work, and turn its end into an exit code and a line on stderr.

    Results go to stdout. If its reader is gone, as in `... | head -1`, the work continues without it. Log
    records of the package go to stderr. A second signal ends the process at once.

    Args:
        parser: its `label` names the command in error lines.
        work: the command's work; raises UserError for a user's mistake; may return its own exit code.
        argv: arguments without the program's name; None takes those of the command line.
        resumes: whether the same command continues where an interrupted one stopped.

    Returns:
        0 or the exit code of `work`, 1 after another exception, 2 after a UserError, 128 + the signal's
        number after SIGINT and SIGTERM.
    """
    _escape_unprintable_names()
    with _closed_pipes_ignored(), log_to_stderr(), loading_notice():
        received: Callable[[], int] = lambda: 0  # noqa: E731
        try:
            with stop_signals() as received:
                code = work(parser.parse_args(argv)) or SUCCESS
                sys.stdout.flush()
                return code
        except KeyboardInterrupt as stop:
            signum = stop.signum if isinstance(stop, Stopped) else signal.SIGINT
            return _stopped(parser, signum, resumes)
        except Exception as error:
            # A signal within an extension module arrives as its error, for example as that of a damaged file.
            if signum := received():
                return _stopped(parser, signum, resumes)
            return _failed(parser, error, argv)


def _stopped(parser: CommandParser, signum: int, resumes: bool) -> int:
    more = "; the same command continues where this one stopped" if resumes else ""
    word = "interrupted" if signum == signal.SIGINT else "terminated"
    logger.error("%s: %s%s", parser.label, word, more)
    return 128 + signum


def _failed(parser: CommandParser, error: Exception, argv: Sequence[str] | None) -> int:
    """The exit code after an exception; called while it is handled."""
    if isinstance(error, UserError):
        return _mistake(parser, str(error))
    if isinstance(error, OSError) and error.errno in _USER_ERRNOS:
        place = f"{error.filename}: " if error.filename is not None else "an output: "
        return _mistake(parser, f"{place}{error.strerror}; check the path, its permissions and the disk")
    return _crash(parser, argv)


def _mistake(parser: CommandParser, message: str) -> int:
    line = " ".join(message.splitlines())  # a file's name may contain line breaks
    logger.error("%s: error: %s", parser.label, line)
    return USER_MISTAKE


def _crash(parser: CommandParser, argv: Sequence[str] | None) -> int:
    """Print the traceback of the current exception, and ask for a report."""
    traceback.print_exc()
    command = " ".join([parser.prog, *map(shlex.quote, sys.argv[1:] if argv is None else argv)])
    logger.error(
        "%s: crashed: a fault of speechvq %s, not of your input. Please report it as CONTRIBUTING.md says, "
        "with the lines above and this command: %s",
        parser.label,
        speechvq.__version__,
        command,
    )
    return CRASH


def _escape_unprintable_names() -> None:
    """Print file names that the terminal's encoding lacks with escapes, as stderr does already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


@contextmanager
def _closed_pipes_ignored() -> Iterator[None]:
    """Drop what is printed to a pipe whose reader is gone, instead of raising BrokenPipeError.

    This holds for stdout and stderr. A stream remains as it is if it is no file, for example in a notebook.
    """
    originals = sys.stdout, sys.stderr
    replacements = [_droppable(stream) for stream in originals]
    sys.stdout, sys.stderr = (new or old for new, old in zip(replacements, originals))
    try:
        yield
    finally:
        sys.stdout, sys.stderr = originals
        for stream in filter(None, replacements):
            stream.flush()


def _droppable(original: Any) -> io.TextIOWrapper | None:
    """A stream to the same file that drops what nobody reads; None if the stream is no file."""
    buffer = getattr(original, "buffer", None)
    raw = getattr(buffer, "raw", buffer)  # with PYTHONUNBUFFERED, the buffer is the file itself
    if not isinstance(original, io.TextIOWrapper) or not isinstance(raw, io.FileIO):
        return None
    try:
        original.flush()
    except BrokenPipeError:
        pass
    droppable: Any = _Droppable(raw)
    return io.TextIOWrapper(
        droppable if buffer is raw else io.BufferedWriter(droppable),
        encoding=original.encoding,
        errors=original.errors,
        line_buffering=original.line_buffering,
        write_through=original.write_through,
    )


class _Droppable(io.RawIOBase):
    """Writes to a file; drops the bytes if it is a pipe without a reader.

    Another error, such as that of a full disk, is raised once, and what follows is dropped.
    """

    def __init__(self, raw: io.FileIO) -> None:
        self._raw, self._failed = raw, False

    def writable(self) -> bool:
        """True."""
        return True

    def fileno(self) -> int:
        """Number of the file."""
        return self._raw.fileno()

    def isatty(self) -> bool:
        """Whether the file is a terminal; a library may ask when the process ends."""
        return not self._raw.closed and self._raw.isatty()

    def write(self, content: Any) -> int | None:
        """Write bytes; returns their number."""
        size = memoryview(content).nbytes
        if self._failed:
            return size
        try:
            # Without the number, the buffer would write the bytes again.
            with postponed_stop():
                return self._raw.write(content)
        except OSError as error:
            self._failed = True
            if not isinstance(error, BrokenPipeError):
                raise
            return size
