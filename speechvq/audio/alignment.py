"""Where each phone lies in a recording: reading, writing, and asking which phone a code frame belongs to.

Files are HTK labels, `UTT.lab`: a line "start end phone" for each half-open interval, in units of 100 ns.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from speechvq.audio.atomic import write_bytes
from speechvq.errors import UserError

UNITS_PER_SECOND = 10_000_000


@dataclass(frozen=True)
class Interval:
    """A phone from `start` up to but not including `end`, both in seconds."""

    start: float
    end: float
    phone: str


def read_lab(path: Path) -> list[Interval]:
    """Read an HTK label file; further columns, such as scores, are ignored, and so are empty lines.

    Raises:
        UserError: the file cannot be read, or a line is not a label, is reversed, or begins before the one
            above ends.
    """
    intervals: list[Interval] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip():
            continue
        interval = _label(line, f"{path}, line {number}")
        if intervals and interval.start < intervals[-1].end:
            raise UserError(f"{path}, line {number}: begins before the interval above it ends")
        intervals.append(interval)
    return intervals


def write_lab(path: Path, intervals: Iterable[Interval]) -> None:
    """Write an HTK label file, atomically; times are rounded to 100 ns, parents are made.

    Raises:
        UserError: the file cannot be written.
    """
    lines = [f"{_units(each.start)} {_units(each.end)} {each.phone}\n" for each in intervals]
    write_bytes(path, "".join(lines).encode())


def intervals_at_frames(
    intervals: Sequence[Interval], num_frames: int, frame_rate_hz: float
) -> np.ndarray:
    """The interval that holds the centre of each code frame: (N,), int64, -1 where none does.

    Args:
        intervals: in order of time and not overlapping, as `read_lab` gives them.
        num_frames: N.
        frame_rate_hz: frames a second; frame i has its centre at (i + 0.5) / frame_rate_hz seconds.
    """
    if not intervals:
        return np.full(num_frames, -1)
    starts = np.array([each.start for each in intervals])
    ends = np.array([each.end for each in intervals])
    centres = (np.arange(num_frames) + 0.5) / frame_rate_hz
    index = np.searchsorted(ends, centres, side="right")  # of the first that has not ended
    inside = starts[np.minimum(index, len(starts) - 1)] <= centres
    return np.where(inside & (index < len(starts)), index, -1)


def phones_at_frames(
    intervals: Sequence[Interval], num_frames: int, frame_rate_hz: float
) -> list[str | None]:
    """The phone at the centre of each code frame, (N,); None where the centre is in no interval.

    Args:
        intervals: in order of time and not overlapping, as `read_lab` gives them.
        num_frames: N.
        frame_rate_hz: frames a second; frame i has its centre at (i + 0.5) / frame_rate_hz seconds.
    """
    found = intervals_at_frames(intervals, num_frames, frame_rate_hz)
    return [intervals[i].phone if i >= 0 else None for i in found]


READERS = {".lab": read_lab}  # by a file's ending


def read_alignments(directory: Path) -> dict[str, list[Interval]]:
    """Read every alignment file below a directory, by utterance (the file's name without its ending).

    Raises:
        UserError: there is none, two are of the same utterance, or one cannot be read.
    """
    found: dict[str, Path] = {}
    for path in sorted(path for ending in READERS for path in directory.rglob(f"*{ending}")):
        if path.stem in found:
            raise UserError(f"{path} and {found[path.stem]} are both of the utterance {path.stem}; keep one")
        found[path.stem] = path
    if not found:
        raise UserError(f"no alignments below {directory}: expected files ending in {', '.join(READERS)}")
    return {utt: READERS[path.suffix](path) for utt, path in found.items()}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        line = path.read_bytes()[: error.start].count(b"\n") + 1
        raise UserError(f"{path}, line {line}: not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from error


def _label(line: str, place: str) -> Interval:
    columns = line.split()
    if len(columns) < 3 or not (columns[0].isdecimal() and columns[1].isdecimal()):
        expected = "expected 'start end phone' with times in units of 100 ns"
        raise UserError(f"{place}: {expected}, found {line.strip()!r}")
    start, end = int(columns[0]), int(columns[1])
    if end < start:
        raise UserError(f"{place}: ends at {end}, before its start at {start}")
    return Interval(start / UNITS_PER_SECOND, end / UNITS_PER_SECOND, columns[2])


def _units(seconds: float) -> int:
    return round(seconds * UNITS_PER_SECOND)
