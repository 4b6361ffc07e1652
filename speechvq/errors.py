"""The exception for a user's mistake, and values in its messages."""

import reprlib
import unicodedata
from typing import Any

_CONTROL = ("Cc", "Cs", "Zl", "Zp")  # Unicode categories: control, surrogate, line and paragraph separator
_REORDERING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"  # make a terminal reverse the text


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


def is_control(character: str) -> bool:
    """Whether a character is a control character, a line break, or a byte that is not UTF-8."""
    return unicodedata.category(character) in _CONTROL


def printable(text: object) -> str:
    """Text for a terminal, table or figure: control characters and line breaks become escapes as in `\\n`."""
    return "".join(
        character.encode("unicode_escape").decode()
        if is_control(character) or character in _REORDERING
        else character
        for character in str(text)
    )
