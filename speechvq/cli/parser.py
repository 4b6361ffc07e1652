"""The argument parser of every command: its usage line, its --version, and the defaults in its --help."""

import argparse
import sys
from typing import NoReturn

import speechvq


class CommandParser(argparse.ArgumentParser):
    """A parser whose usage line is what a user types, `python -m speechvq.NAME`.

    That spelling works in a clone without installation, too. --help shows the default of every flag that has
    one; a help text that says "(default" itself is left as it is.
    """

    def __init__(self, name: str, description: str | None = None) -> None:
        """
        Args:
            name: of the command, for example "convert" or "evaluate purity".
            description: of the command, for --help.
        """
        super().__init__(
            prog=f"python -m speechvq.{name}", description=description, formatter_class=_DefaultsFormatter
        )
        self.label = f"speechvq.{name}"  # before the messages of the command
        self.add_argument(
            "--version", action="version", version=version_line(), help="print the version and exit"
        )

    def error(self, message: str) -> NoReturn:
        """Print usage and message, and exit with code 2."""
        if message.endswith("expected one argument"):
            message += "; a value that begins with a dash is written --flag=-value"
        self.print_usage(sys.stderr)
        self.exit(2, f"{self.label}: error: {message}\n")


def version_line() -> str:
    """What --version prints."""
    return f"speechvq {speechvq.__version__}"


class _DefaultsFormatter(argparse.HelpFormatter):
    """Adds "(default: VALUE)" to the help of a flag with a default; indented paragraphs stay as they are."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        paragraphs = text.strip("\n").split("\n\n")
        return "\n\n".join(
            each if each.startswith(" ") else super(_DefaultsFormatter, self)._fill_text(each, width, indent)
            for each in paragraphs
        )

    def _get_help_string(self, action: argparse.Action) -> str:
        text = action.help or ""
        without = action.required or action.nargs == 0 or action.default in (None, "", [], argparse.SUPPRESS)
        return text if without or "(default" in text else f"{text} (default: %(default)s)"
