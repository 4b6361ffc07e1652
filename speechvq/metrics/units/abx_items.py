"""Items of an ABX test: segments of speech with a phone, its neighbors and a speaker."""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import is_silence

ItemKind = Literal["triphone", "phoneme"]

NON_PHONES = frozenset({"spn", "noise", "nsn", "<unk>"})  # noise labels of MFA and Kaldi
MAX_GAP = 1e-4  # seconds; phones further apart are not neighbors


class Item(NamedTuple):
    """A phone and the frames that represent it."""

    phone: str
    context: tuple[str, str]  # previous and next phone
    speaker: str
    first: int  # frame
    end: int  # frame after the last


def find_items(
    intervals: Sequence[Interval], speaker: str, num_frames: int, frame_rate_hz: float, kind: ItemKind
) -> tuple[list[Item], int]:
    """Items of an utterance: every phone between two other phones, without silence and noise.

    An item holds the frames whose center lies between its start and its end, both included, as in fastabx.

    Args:
        intervals: in order of time.
        speaker: of the utterance.
        num_frames: N.
        frame_rate_hz: frames per second; frame i has its center at (i + 0.5) / frame_rate_hz seconds.
        kind: "triphone" lasts from the start of the previous phone to the end of the next phone, "phoneme"
            from the start to the end of the phone itself.

    Returns:
        Items, and the number of items that were dropped because they hold no frame center or end after the
        last frame.
    """
    items, dropped = [], 0
    for previous, phone, following in zip(intervals, intervals[1:], intervals[2:]):
        if not all(map(_is_phone, (previous, phone, following))):
            continue
        if _has_gap(previous, phone) or _has_gap(phone, following):
            continue
        start, stop = (previous.start, following.end) if kind == "triphone" else (phone.start, phone.end)
        # Rounded because 0.05 s x 50 Hz - 0.5 is 2.0000000000000004.
        first = math.ceil(round(start * frame_rate_hz - 0.5, 6))
        end = math.floor(round(stop * frame_rate_hz - 0.5, 6)) + 1
        if 0 <= first < end <= num_frames:
            items.append(Item(phone.phone, (previous.phone, following.phone), speaker, first, end))
        else:
            dropped += 1
    return items, dropped


def _is_phone(interval: Interval) -> bool:
    return not is_silence(interval.phone) and interval.phone.lower() not in NON_PHONES


def _has_gap(first: Interval, second: Interval) -> bool:
    return second.start - first.end > MAX_GAP
