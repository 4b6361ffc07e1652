"""The items of an ABX test: stretches of speech with a phone, its neighbours and a speaker."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import is_silence

ItemKind = Literal["triphone", "phoneme"]

NOISES = frozenset(
    {"spn", "noise", "nsn", "<unk>"}
)  # labels that stand for no phone, as MFA and Kaldi write them
GAP = 1e-4  # s; neighbours further apart are none


class Item(NamedTuple):
    """A phone that was said, and the frames in which it is heard."""

    phone: str
    context: tuple[str, str]  # phone before and after
    speaker: str
    first: int  # frame
    end: int  # the frame after the last


def find_items(
    intervals: Sequence[Interval], speaker: str, num_frames: int, frame_rate_hz: float, kind: ItemKind
) -> tuple[list[Item], int]:
    """The items of an utterance: every phone between two others, without silence or noise.

    An item has the frames whose centre lies from its beginning to its end, both included, as in fastabx.

    Args:
        intervals: in order of time.
        speaker: who speaks.
        num_frames: N.
        frame_rate_hz: frames a second; frame i has its centre at (i + 0.5) / frame_rate_hz seconds.
        kind: "triphone" lasts from the beginning of the phone before to the end of the phone after, "phoneme"
            as long as the phone itself.

    Returns:
        The items, and how many were left out because no frame has its centre in them or their end is beyond
        the last frame.
    """
    items, dropped = [], 0
    for before, phone, after in zip(intervals, intervals[1:], intervals[2:]):
        if not all(map(_is_phone, (before, phone, after))) or _apart(before, phone) or _apart(phone, after):
            continue
        ends = (before.start, after.end) if kind == "triphone" else (phone.start, phone.end)
        # Rounded, because 0.05 s x 50 Hz - 0.5 is 2.0000000000000004.
        first = math.ceil(round(ends[0] * frame_rate_hz - 0.5, 6))
        end = math.floor(round(ends[1] * frame_rate_hz - 0.5, 6)) + 1
        if 0 <= first < end <= num_frames:
            items.append(Item(phone.phone, (before.phone, after.phone), speaker, first, end))
        else:
            dropped += 1
    return items, dropped


def _is_phone(interval: Interval) -> bool:
    return not is_silence(interval.phone) and interval.phone.lower() not in NOISES


def _apart(before: Interval, after: Interval) -> bool:
    return after.start - before.end > GAP
