"""One utterance's units as a row of a shard, and runs of equal codes as codes with durations."""

from typing import NamedTuple

import numpy as np

from speechvq.errors import UserError

MAX_LENGTH = 100_000_000  # frames of an utterance, 23 days at 50 Hz; bounds the memory of a damaged file


class Row(NamedTuple):
    """The units of one utterance."""

    utt: str
    speaker: str  # "" if unknown
    values: np.ndarray  # (N,), int64, codes; or (N, C), float32, features
    durations: np.ndarray | None = None  # (N,), int64, frames of each value; None: one frame each


def deduplicate(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """One code for each run of equal codes, and the lengths of the runs: (N,) to (R,) and (R,), int64."""
    starts = np.flatnonzero(np.diff(codes, prepend=codes[:1] - 1)) if len(codes) else np.empty(0, np.int64)
    return codes[starts], np.diff(starts, append=len(codes))


def frames_of(row: Row, where: object) -> np.ndarray:
    """One value per frame, each repeated for its duration; the inverse of `deduplicate`.

    Args:
        row: of a file that any program wrote.
        where: the file, for messages.

    Raises:
        UserError: durations that do not fit the values, are negative, or add up to a huge number.
    """
    if row.durations is None:
        return row.values
    if row.durations.shape != (len(row.values),):
        raise UserError(
            f"{where}: utterance {row.utt} has {len(row.values)} values and {len(row.durations)} durations; "
            "encode it again"
        )
    if len(row.durations) and not 0 <= row.durations.min() <= row.durations.max() <= MAX_LENGTH:
        raise UserError(f"{where}: utterance {row.utt} has invalid durations; encode it again")
    if row.durations.sum() > MAX_LENGTH:
        raise UserError(f"{where}: utterance {row.utt} is longer than any recording; encode it again")
    return np.repeat(row.values, row.durations, axis=0)
