"""Praat's TextGrids, long and short form, in UTF-8 or UTF-16.

Praat defines such a file as a sequence of free-standing numbers, quoted strings (a quote inside is doubled)
and <flags>; everything else is comment ("Praat manual: TextGrid file formats"). Read this way, the long and
the short form are the same, line numbers are known for messages, and the text of a label is never taken for
structure. praatio 6.2 reads -1 as 1 and accepts truncated files, so it only writes files for the tests.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from speechvq.alignment.intervals import Interval, append_interval, read_text, shorten
from speechvq.alignment.phones import SILENCE
from speechvq.errors import UserError

PHONE_TIERS = ("phones", "phone", "mau")  # in lower case: MFA, others, MAUS

# A string, an unclosed quote, a comment, a flag, or a token that begins like a number.
_TOKEN = re.compile(r'"[^"]*(?:""[^"]*)*"|"|(?<!\S)(?:![^\n]*|<[^>\s]*>(?!\S)|[-+]?\.?\d\S*)')


@dataclass
class Tier:
    """A tier of the file."""

    name: str
    intervals: list[tuple[Interval, int]] | None  # with line numbers; None for a point tier


def read_textgrid(path: Path, *, tier: str | None = None) -> list[Interval]:
    """The phones of a TextGrid; an empty label is silence, as MFA writes it.

    Args:
        path: the file.
        tier: its name; None looks for PHONE_TIERS, then for one that ends in "- phones" (MFA's of a speaker),
            then takes the only tier of intervals.

    Raises:
        UserError: the file cannot be read, is no TextGrid or cut, there is no such tier or no choosing among
            several, or its intervals are reversed, overlap or lie before 0.
    """
    chosen = _choose(_tiers(_Tokens(path)), tier, path)
    intervals: list[Interval] = []
    for interval, line in chosen.intervals or []:
        append_interval(intervals, interval, f"{path}, line {line}")
    return intervals


def _choose(tiers: Sequence[Tier], wanted: str | None, path: Path) -> Tier:
    names = ", ".join(repr(each.name) for each in tiers) or "none"
    usable = [each for each in tiers if each.intervals is not None]
    if wanted is not None:
        found = [each for each in usable if each.name == wanted]
    else:
        found = next(filter(None, _guesses(usable)), usable)
    if len(found) == 1:
        return found[0]
    if wanted is not None and not found:
        raise UserError(f"{path}: no tier of intervals named {wanted!r}; its tiers are {names}")
    if wanted is None and not usable:
        raise UserError(f"{path}: no tier of intervals; its tiers are {names}")
    remedy = "rename one" if len({each.name for each in found}) == 1 else "select the phone tier by --tier"
    raise UserError(f"{path}: {len(found)} tiers match; its tiers are {names}; {remedy}")


def _guesses(tiers: Sequence[Tier]) -> Iterator[list[Tier]]:
    """Candidate phone tiers, the most likely first."""
    for name in PHONE_TIERS:
        yield [each for each in tiers if each.name.strip().lower() == name]
    yield [each for each in tiers if each.name.lower().endswith("- phones")]


def _tiers(tokens: "_Tokens") -> list[Tier]:
    """All tiers of a file.

    Raises:
        UserError: a number or a string is missing where the format requires one, or the file is longer than
            its counts.
    """
    kind, of = tokens.string("'ooTextFile'"), tokens.string("'TextGrid'")
    if not kind.startswith("ooTextFile") or of != "TextGrid":
        raise UserError(f"{tokens.place()}: not a TextGrid: the header is missing")
    tokens.number("the time of its beginning")
    tokens.number("the time of its end")
    if tokens.flag() == "<absent>":
        return []
    tiers = [_tier(tokens) for _ in range(tokens.count("tiers"))]
    tokens.end()
    return tiers


def _tier(tokens: "_Tokens") -> Tier:
    kind = tokens.string("the kind of a tier")
    if kind not in ("IntervalTier", "TextTier"):
        raise UserError(f"{tokens.place()}: {shorten(kind)} is not a tier class; expected 'IntervalTier'")
    name = tokens.string("the name of a tier")
    tokens.number("the time of a tier's beginning")
    tokens.number("the time of a tier's end")
    count = tokens.count("intervals or points")
    if kind == "TextTier":
        for _ in range(count):
            tokens.number("the time of a point")
            tokens.string("the mark of a point")
        return Tier(name, None)
    intervals = []
    for _ in range(count):
        start, line = tokens.number("the start of an interval"), tokens.line()
        end = tokens.number("the end of an interval")
        label = tokens.string("the label of an interval")
        intervals.append((Interval(start, end, " ".join(label.split()) or SILENCE), line))
    return Tier(name, intervals)


class _Tokens:
    """Iterator over the free-standing numbers, strings and flags of a file."""

    def __init__(self, path: Path) -> None:
        self._path, self._text = path, read_text(path)
        self._found = (m for m in _TOKEN.finditer(self._text) if not m.group().startswith("!"))
        self._offset, self._counted, self._line = 0, 0, 1

    def line(self) -> int:
        """Line number of the last token."""
        self._line += self._text.count("\n", self._counted, self._offset)
        self._counted = self._offset
        return self._line

    def place(self) -> str:
        """File and line of the last token, for a message."""
        return f"{self._path}, line {self.line()}"

    def string(self, what: str) -> str:
        """The next token, which must be a string."""
        token = self._next(what)
        if token[0] != '"':
            raise UserError(f"{self.place()}: expected {what}, in quotes, found {shorten(token)}")
        if len(token) == 1:
            raise UserError(f"{self.place()}: unclosed quote; the file is truncated or damaged")
        return token[1:-1].replace('""', '"')

    def number(self, what: str) -> float:
        """The next token, which must be a number."""
        token = self._next(what)
        try:
            return float(token)
        except ValueError:
            raise UserError(f"{self.place()}: expected {what}, a number, found {shorten(token)}") from None

    def count(self, what: str) -> int:
        """The next token, which must be a whole number from 0."""
        number = self.number(f"the number of {what}")
        if not (0 <= number < 1e9 and number == int(number)):
            raise UserError(f"{self.place()}: {number:g} {what}; expected a whole number")
        return int(number)

    def flag(self) -> str:
        """The next token, which must be <exists> or <absent>."""
        token = self._next("<exists>")
        if token not in ("<exists>", "<absent>"):
            raise UserError(f"{self.place()}: expected <exists>, found {shorten(token)}")
        return token

    def end(self) -> None:
        """Check that no token follows."""
        if (token := next(self._found, None)) is not None:
            self._offset = token.start()
            raise UserError(
                f"{self.place()}: more entries than the file declares; correct its counts (size = ...)"
            )

    def _next(self, what: str) -> str:
        token = next(self._found, None)
        if token is None:
            self._offset = len(self._text)
            raise UserError(f"{self.place()}: the file ends before {what}; it is truncated or not a TextGrid")
        self._offset = token.start()
        return token.group()
