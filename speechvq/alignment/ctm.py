"""CTM files of NIST and Kaldi: a line "utterance channel start duration label" for each phone, in seconds.

One file may hold a whole corpus. It is scanned once for the location of each utterance and then read
utterance by utterance. Comments begin with ";;". Columns after the label, such as confidences, are ignored.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from speechvq.alignment.intervals import Interval, append_interval, shorten
from speechvq.errors import UserError
from speechvq.io.names import normalized
from speechvq.io.reading import open_regular

_LONGEST_LINE = 1 << 16  # bytes


class Passage(NamedTuple):
    """The lines of one utterance in a CTM file."""

    path: Path
    start: int  # offset in bytes
    line: int  # number of the first line


def find_passages(path: Path) -> dict[str, Passage]:
    """Location of each utterance of a CTM file.

    Raises:
        UserError: the file cannot be read, is not text, or the lines of an utterance are not consecutive.
    """
    passages: dict[str, Passage] = {}
    current = None
    for start, number, line in _lines(path):
        name = normalized(line.split(maxsplit=1)[0])
        if name == current:
            continue
        if name in passages:
            raise UserError(
                f"{path}, line {number}: {name} continues after another utterance; sort the lines"
            )
        passages[name] = Passage(path, start, number)
        current = name
    return passages


def read_passage(passage: Passage) -> list[Interval]:
    """Phone intervals of an utterance.

    Raises:
        UserError: a line has too few columns, an invalid time or another channel, or its interval is negative
            or overlaps the previous one.
    """
    intervals: list[Interval] = []
    first: list[str] = []
    for _, number, line in _lines(passage.path, passage.start, passage.line):
        place = f"{passage.path}, line {number}"
        columns = line.split()
        first = first or columns[:2]
        if columns[0] != first[0]:
            break
        interval = _interval(columns, place)
        if columns[:2] != first:
            raise UserError(f"{place}: channel {columns[1]} after {first[1]}; name each channel's utterance")
        append_interval(intervals, interval, place)
    return intervals


def _interval(columns: list[str], place: str) -> Interval:
    try:
        start, duration = map(float, columns[2:4])
        return Interval(start, round(start + duration, 9), columns[4])
    except (ValueError, IndexError):
        expected = "expected 'utterance channel start duration phone' with times in seconds"
        raise UserError(f"{place}: {expected}, found {shorten(' '.join(columns))}") from None


def _lines(path: Path, start: int = 0, number: int = 1) -> Iterator[tuple[int, int, str]]:
    """Offset, number and text of the lines from `start` on, without comments and empty lines."""
    try:
        with open_regular(path) as file:
            file.seek(start)
            while line := file.readline(_LONGEST_LINE):
                if len(line) == _LONGEST_LINE or b"\0" in line:
                    raise UserError(f"{path}, line {number}: not text; save it as UTF-8")
                text = line.decode("utf-8-sig" if start == 0 else "utf-8")
                if text.strip() and not text.lstrip().startswith(";;"):
                    yield start, number, text
                start, number = start + len(line), number + 1
    except UnicodeDecodeError as error:
        raise UserError(f"{path}, line {number}: not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
