"""Phone intervals of a recording: HTK and TIMIT label files, and the phone at each code frame.

An HTK label file, `UTT.lab`, has a line "start end phone" for each half-open interval, in units of 100 ns.
A TIMIT label file, `UTT.PHN`, has the same lines in samples at 16 kHz. MFA also takes `UTT.lab` for the
transcript, which has no times. For other formats see `textgrid` and `ctm`.
"""

import codecs
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.io.reading import read_regular

UNITS_PER_SECOND = 10_000_000  # of HTK's times
TIMIT_RATE = 16_000  # samples per second of TIMIT's times
ROUNDING = 5e-8  # seconds of apparent overlap that is tolerated, because times are decimal

_MOST_BYTES = 1 << 28  # of an alignment file; a larger file is something else
_TWO_NUMBERS = re.compile(r"^[ \t]*[-+.\d]\S*[ \t]+(?:[-+.\d]|nan\b|inf\b)", re.MULTILINE)
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Interval:
    """A phone from `start` up to but not including `end`, both in seconds."""

    start: float
    end: float
    phone: str


def read_lab(path: Path) -> list[Interval]:
    """Read an HTK label file; empty lines and further columns, such as scores, are ignored.

    Raises:
        UserError: the file cannot be read, holds a transcript, or a line is not a label, has reversed times,
            or begins before the previous interval ends.
    """
    return _read_labels(path, UNITS_PER_SECOND, "units of 100 ns")


def read_phn(path: Path) -> list[Interval]:
    """Read a TIMIT label file; errors as of `read_lab`."""
    return _read_labels(path, TIMIT_RATE, "samples at 16 kHz")


def is_transcript(path: Path) -> bool:
    """Whether a .lab file holds a transcript: it has words, and no line begins with two numbers."""
    try:
        return path.suffix.lower() == ".lab" and _has_no_times(read_text(path))
    except UserError:
        return False


def _has_no_times(text: str) -> bool:
    return bool(text.strip()) and not _TWO_NUMBERS.search(text)


def _read_labels(path: Path, units_per_second: int, unit: str) -> list[Interval]:
    intervals: list[Interval] = []
    text = read_text(path)
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            place = f"{path}, line {number}"
            if not intervals and _has_no_times(text):
                raise UserError(
                    f"{place}: no times but the text {shorten(line)}; align it by `python -m speechvq.align`"
                )
            append_interval(intervals, _label(line, place, units_per_second, unit), place)
    return intervals


def write_lab(path: Path, intervals: Iterable[Interval]) -> None:
    """Write an HTK label file atomically; times are rounded to 100 ns, parent folders are created.

    Raises:
        UserError: the file cannot be written.
    """
    lines = [f"{_units(each.start)} {_units(each.end)} {each.phone}\n" for each in intervals]
    write_bytes(path, "".join(lines).encode())


def intervals_at_frames(intervals: Sequence[Interval], num_frames: int, frame_rate_hz: float) -> np.ndarray:
    """Index of the interval at the center of each code frame: (N,), int64, -1 where there is none.

    Args:
        intervals: sorted by time and not overlapping, as `read_lab` returns them.
        num_frames: N.
        frame_rate_hz: frames per second; the center of frame i is at (i + 0.5) / frame_rate_hz seconds.
    """
    if not intervals:
        return np.full(num_frames, -1)
    starts = np.array([each.start for each in intervals])
    ends = np.array([each.end for each in intervals])
    centers = (np.arange(num_frames) + 0.5) / frame_rate_hz
    index = np.searchsorted(ends, centers, side="right")  # the first interval that has not ended
    inside = starts[np.minimum(index, len(starts) - 1)] <= centers
    return np.where(inside & (index < len(starts)), index, -1)


def phones_at_frames(
    intervals: Sequence[Interval], num_frames: int, frame_rate_hz: float
) -> list[str | None]:
    """Phone at the center of each code frame, (N,); None where no interval contains the center.

    Args:
        intervals: sorted by time and not overlapping, as `read_lab` returns them.
        num_frames: N.
        frame_rate_hz: frames per second; the center of frame i is at (i + 0.5) / frame_rate_hz seconds.
    """
    found = intervals_at_frames(intervals, num_frames, frame_rate_hz)
    return [intervals[i].phone if i >= 0 else None for i in found]


def append_interval(intervals: list[Interval], interval: Interval, place: str) -> None:
    """Append the next interval in time; an overlap within ROUNDING is removed.

    Args:
        intervals: the previous ones; appended to.
        interval: the one to append.
        place: file and line, for the message.

    Raises:
        UserError: its times are not finite, negative or reversed, or it overlaps the previous interval.
    """
    start, end = interval.start, interval.end
    if not (math.isfinite(start) and math.isfinite(end)):
        raise UserError(f"{place}: times from {start} to {end}; expected numbers of seconds")
    if start < -ROUNDING:
        raise UserError(f"{place}: begins at {start:g} s, before the recording does; align again")
    if end < start:
        raise UserError(f"{place}: ends at {end:g} s, before its start at {start:g} s; exchange them")
    least = intervals[-1].end if intervals else 0.0
    if start < least - ROUNDING:
        raise UserError(f"{place}: begins before the interval above it ends; they may not overlap")
    if start < least:
        interval = Interval(least, max(end, least), interval.phone)
    intervals.append(interval)


def shift_intervals(
    intervals: Iterable[Interval], offset: float, seconds: float = math.inf
) -> list[Interval]:
    """Intervals after the first `offset` seconds of a recording were removed; it lasts `seconds` now.

    Intervals are clipped to the recording; those outside are dropped.
    """
    moved = (
        Interval(max(each.start - offset, 0.0), min(each.end - offset, seconds), each.phone)
        for each in intervals
    )
    return [each for each in moved if each.start < each.end]


def read_text(path: Path) -> str:
    """Text of an alignment file with normalized line ends: UTF-8, or UTF-16 with a byte order mark.

    Raises:
        UserError: the file cannot be read, is binary or in another encoding.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UserError(f"{path}: {_MOST_BYTES >> 20} MB and more, so not the alignment of one utterance")
        content = read_regular(path)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error
    encoding = "UTF-16" if content.startswith(_UTF_16) else "UTF-8"
    try:
        text = content.decode(encoding).removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not {encoding}; save it as UTF-8") from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise UserError(f"{path}, line {line}: binary, not text; save it as text in UTF-8")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _times(line: str) -> list[int]:
    """The two times that a line begins with, or none."""
    times = [int(column) for column in line.split()[:2] if column.isdecimal() and len(column) < 20]
    return times if len(times) == 2 else []


def _label(line: str, place: str, units_per_second: int, unit: str) -> Interval:
    columns, times = line.split(), _times(line)
    if len(columns) < 3 or not times:
        raise UserError(f"{place}: expected 'start end phone' with times in {unit}, found {shorten(line)}")
    start, end = times
    if end < start:
        raise UserError(f"{place}: ends at {end}, before its start at {start}; exchange them")
    return Interval(start / units_per_second, end / units_per_second, columns[2])


def shorten(text: str) -> str:
    """Text for a message: quoted, on one line, at most 60 characters."""
    text = text.strip()
    return repr(text if len(text) <= 60 else text[:60] + "...")


def _units(seconds: float) -> int:
    return round(seconds * UNITS_PER_SECOND)
