"""What every command shares: one clear line for a user's mistake, and the exit codes."""

import argparse
import sys
from collections.abc import Callable, Sequence

from speechvq.errors import UserError

SUCCESS, USER_MISTAKE = 0, 2


def run(
    parser: argparse.ArgumentParser,
    work: Callable[[argparse.Namespace], None],
    argv: Sequence[str] | None,
) -> int:
    """Parse `argv`, do the work, and turn a user's mistake into one line on stderr.

    Args:
        parser: its `prog` names the command in the line.
        work: does the job; raises UserError for what the user can mend.
        argv: arguments without the program's name; None takes them from the command line.

    Returns:
        0, or 2 after a UserError.
    """
    arguments = parser.parse_args(argv)
    try:
        work(arguments)
    except UserError as error:
        print(f"{parser.prog}: error: {error}", file=sys.stderr)
        return USER_MISTAKE
    return SUCCESS
