"""What every command shares: one clear line for a user's mistake, and the exit codes."""

import argparse
import io
import sys
from collections.abc import Callable, Sequence

from speechvq.errors import UserError

SUCCESS, USER_MISTAKE = 0, 2
INTERRUPTED = 130  # what a shell reports after Ctrl-C


def run(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], int | None],
    argv: Sequence[str] | None,
    *,
    resumes: bool = False,
) -> int:
    """Parse `argv`, do the work, and turn a user's mistake or Ctrl-C into one line on stderr.

    Args:
        parser: its `prog` names the command in the line.
        work: does the job; raises UserError for what the user can mend; may return an exit code of its own.
        argv: arguments without the program's name; None takes them from the command line.
        resumes: whether a second call goes on where the first was interrupted.

    Returns:
        0 or what `work` returned, 2 after a UserError, 130 after Ctrl-C.
    """
    arguments = parser.parse_args(argv)
    _let_any_name_be_printed()
    try:
        return work(arguments) or SUCCESS
    except UserError as error:
        line = " ".join(str(error).splitlines())  # the name of a file may hold line breaks
        print(f"{parser.prog}: error: {line}", file=sys.stderr)
        return USER_MISTAKE
    except KeyboardInterrupt:
        more = "; the same command goes on where it stopped" if resumes else ""
        print(f"{parser.prog}: interrupted{more}", file=sys.stderr)
        return INTERRUPTED


def _let_any_name_be_printed() -> None:
    """Print file names in an encoding other than the terminal's with escapes, as stderr does already."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
