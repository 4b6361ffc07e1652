"""The exception for a user's mistake, and values in its messages."""

import reprlib
from typing import Any


class UserError(ValueError):
    """A mistake in a file, a flag or a configuration.

    The message is one line that names the file or value and the remedy. A command prints it and exits with
    code 2.
    """


def short_repr(value: Any) -> str:
    """A value's representation for a message: one short line, even for a million nested lists."""
    shortener = reprlib.Repr()
    shortener.maxlevel, shortener.maxstring, shortener.maxother = 2, 80, 80
    try:
        return " ".join(shortener.repr(value).split())
    except ValueError:  # Python refuses to print integers of thousands of digits
        return f"a huge {type(value).__name__}"
