"""How far apart two alignments of the same sounds put their boundaries.

A dictionary's pronunciation is not always what was said, so the two label sequences are matched by edit
distance first. A boundary is compared where the phones on both of its sides are the same in both alignments.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import SILENCE, is_silence
from speechvq.metrics.bootstrap import NUM_RESAMPLES
from speechvq.metrics.edit_distance import aligned_pairs

NEAR = 0.020  # s
METRICS = (
    ("mean_error", "mean error", "ms"),
    ("median_error", "median error", "ms"),
    ("within_20_ms", "within 20 ms", "%"),
    ("bias", "bias, positive where late", "ms"),
    ("coverage", "boundaries compared", "%"),
)  # name, label, unit


class BoundaryErrors(NamedTuple):
    """What one utterance tells."""

    errors: np.ndarray  # (boundaries compared,), s; positive where the alignment is late
    uniform_errors: np.ndarray  # (boundaries compared,), s; of the same phones spread evenly over the sound
    total: int  # boundaries of the reference


class BoundarySummary(NamedTuple):
    """A figure over all boundaries compared, its interval of 95 %, and what evenly spread phones score."""

    name: str
    label: str  # for people
    unit: str  # "ms", or "%" for shares
    value: float
    low: float
    high: float
    baseline: float


def boundary_errors(found: Sequence[Interval], reference: Sequence[Interval]) -> BoundaryErrors:
    """Compare the alignment of one utterance with its reference.

    Args:
        found: in order of time; silence has one name in both, see `is_silence`, and neighbours are joined.
        reference: likewise; its boundaries are those between two intervals.
    """
    found, reference = _joined(found), _joined(reference)
    pairs = aligned_pairs([each.phone for each in reference], [each.phone for each in found])
    same = {i: j for i, j in pairs if reference[i].phone == found[j].phone}
    inner = [(i, j) for i, j in same.items() if i and same.get(i - 1) == j - 1 and j]
    errors = [found[j].start - reference[i].start for i, j in inner]
    spread = [_evenly(found, j) - reference[i].start for i, j in inner]
    return BoundaryErrors(np.array(errors), np.array(spread), max(len(reference) - 1, 0))


def summarize_boundaries(utterances: Sequence[BoundaryErrors], *, seed: int = 0) -> list[BoundarySummary]:
    """Figures over all utterances, every boundary weighing the same; utterances are resampled.

    Raises:
        ValueError: no boundary could be compared.
    """
    if not any(len(each.errors) for each in utterances):
        raise ValueError("no boundary has the same phones on both sides in both alignments")
    values = _figures(utterances)
    evenly = _figures([each._replace(errors=each.uniform_errors) for each in utterances])[:-1]
    draws = np.random.default_rng(seed).integers(len(utterances), size=(NUM_RESAMPLES, len(utterances)))
    resampled = np.array([_figures([utterances[i] for i in draw]) for draw in draws])
    low, high = np.nanpercentile(resampled, [2.5, 97.5], axis=0)
    baselines = [*evenly, math.nan]  # the same phones, so as many can be compared
    return [
        BoundarySummary(*names, *map(float, numbers))
        for names, numbers in zip(METRICS, zip(values, low, high, baselines))
    ]


def _figures(utterances: Sequence[BoundaryErrors]) -> np.ndarray:
    """The figures, (5,), in the order of FIGURES; NaN but for the last where nothing can be compared."""
    errors = np.concatenate([each.errors for each in utterances])
    coverage = len(errors) / max(sum(each.total for each in utterances), 1)
    if not len(errors):
        return np.array([np.nan] * (len(METRICS) - 1) + [coverage])
    away = np.abs(errors)
    near = np.mean(away <= NEAR + 1e-9)  # times are multiples of 100 ns
    return np.array([1e3 * away.mean(), 1e3 * np.median(away), near, 1e3 * errors.mean(), coverage])


def _joined(intervals: Sequence[Interval]) -> list[Interval]:
    """Silences under one name, and neighbouring ones as one."""
    joined: list[Interval] = []
    for each in intervals:
        phone = SILENCE if is_silence(each.phone) else each.phone
        if joined and joined[-1].phone == phone == SILENCE:
            joined[-1] = Interval(joined[-1].start, each.end, phone)
        else:
            joined.append(Interval(each.start, each.end, phone))
    return joined


def _evenly(intervals: Sequence[Interval], index: int) -> float:
    """Where an interval would begin if all lasted as long, in seconds."""
    first, last = intervals[0].start, intervals[-1].end
    return first + (last - first) * index / len(intervals)
