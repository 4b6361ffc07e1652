"""What every command does around its work: exit codes, logging, and one line for a user's mistake."""

import argparse
import io
import sys
from collections.abc import Callable, Sequence

from speechvq.errors import UserError
from speechvq.runtime.logging import log_to_stderr, logger

SUCCESS, USER_MISTAKE = 0, 2
INTERRUPTED = 130  # the exit code that shells report after Ctrl-C


def run(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None,
    *,
    resumes: bool = False,
) -> int:
    """Parse `argv`, run the command's work, and turn a user's mistake or Ctrl-C into one line on stderr.

    Results go to stdout. Log records of the package go to stderr.

    Args:
        parser: its `prog` names the command in error lines.
        work: the command's work; raises UserError for a user's mistake; may return its own exit code.
        argv: arguments without the program's name; None takes those of the command line.
        resumes: whether the same command continues where an interrupted one stopped.

    Returns:
        0 or the exit code of `work`, 2 after a UserError, 130 after Ctrl-C.
    """
    _escape_unprintable_names()
    with log_to_stderr():
        try:
            return work(parser.parse_args(argv)) or SUCCESS
        except UserError as error:
            line = " ".join(str(error).splitlines())  # a file's name may contain line breaks
            logger.error("%s: error: %s", parser.prog, line)
            return USER_MISTAKE
        except KeyboardInterrupt:
            more = "; the same command continues where this one stopped" if resumes else ""
            logger.error("%s: interrupted%s", parser.prog, more)
            return INTERRUPTED


def _escape_unprintable_names() -> None:
    """Print file names that the terminal's encoding lacks with escapes, as stderr does already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
