"""Differences between the phone boundaries of two alignments of the same recordings.

A dictionary pronunciation is not always what was spoken, so the two phone sequences are first matched by edit
distance. A boundary is compared if the phones on both of its sides agree in both alignments.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import SILENCE, is_silence
from speechvq.errors import UserError
from speechvq.metrics.bootstrap import bootstrap_interval
from speechvq.metrics.edit_distance import aligned_pairs

TOLERANCE = 0.020  # seconds
MAX_PAIRS = 50_000_000  # of phones in one recording, a quarter of an hour; bounds the memory to 400 MB
METRICS = (
    ("mean_error", "mean absolute error (ms) ↓", "ms"),
    ("median_error", "median absolute error (ms) ↓", "ms"),
    ("within_20_ms", "boundaries within 20 ms (%) ↑", "%"),
    ("bias", "mean signed error (ms, positive: late)", "ms"),
    ("coverage", "boundaries compared (%) ↑", "%"),
)  # name, label, unit


class BoundaryErrors(NamedTuple):
    """Boundary errors of one utterance."""

    errors: np.ndarray  # (boundaries compared,), seconds; positive if the alignment is late
    uniform_errors: np.ndarray  # (boundaries compared,), seconds, if all phones had equal duration
    total: int  # boundaries of the reference


class BoundarySummary(NamedTuple):
    """One metric over all compared boundaries, with its 95 % interval and the baseline of equal durations."""

    name: str
    label: str  # for tables
    unit: str  # "ms", or "%" for fractions
    value: float
    low: float
    high: float
    baseline: float


def boundary_errors(found: Sequence[Interval], reference: Sequence[Interval]) -> BoundaryErrors:
    """Compare the alignment of one utterance with its reference.

    Args:
        found: in order of time; all labels of silence are equal, see `is_silence`, and adjacent ones merge.
        reference: likewise; its boundaries are those between two intervals.

    Raises:
        UserError: more phones than one recording has; time and memory grow with the product of their numbers.
    """
    found, reference = _merge_silences(found), _merge_silences(reference)
    if len(found) * len(reference) > MAX_PAIRS:
        raise UserError(
            f"{len(found)} phones against {len(reference)}: too many for one recording; compare shorter ones"
        )
    pairs = aligned_pairs([each.phone for each in reference], [each.phone for each in found])
    same = {i: j for i, j in pairs if reference[i].phone == found[j].phone}
    inner = [(i, j) for i, j in same.items() if i and same.get(i - 1) == j - 1 and j]
    errors = [found[j].start - reference[i].start for i, j in inner]
    uniform = [_uniform_start(found, j) - reference[i].start for i, j in inner]
    return BoundaryErrors(np.array(errors), np.array(uniform), max(len(reference) - 1, 0))


def summarize_boundaries(utterances: Sequence[BoundaryErrors], *, seed: int = 0) -> list[BoundarySummary]:
    """Metrics over all compared boundaries, which have equal weight; the bootstrap draws utterances.

    Raises:
        ValueError: no boundary could be compared.
    """
    if not any(len(each.errors) for each in utterances):
        raise ValueError("no boundary has the same phones on both sides in both alignments")
    values = _metrics(utterances)
    uniform = _metrics([each._replace(errors=each.uniform_errors) for each in utterances])[:-1]

    def resampled(weights: np.ndarray) -> np.ndarray:
        drawn = (np.repeat(np.arange(len(utterances)), each) for each in weights)
        return np.array([_metrics([utterances[i] for i in indices.tolist()]) for indices in drawn])

    low, high = bootstrap_interval(resampled, len(utterances), seed=seed)
    baselines = [*uniform, math.nan]  # coverage: the phones are the same, so as many can be compared
    return [
        BoundarySummary(*names, *map(float, numbers))
        for names, numbers in zip(METRICS, zip(values, low, high, baselines))
    ]


def _metrics(utterances: Sequence[BoundaryErrors]) -> np.ndarray:
    """Values in the order of METRICS, (5,); all but the coverage are NaN if nothing can be compared."""
    errors = np.concatenate([each.errors for each in utterances])
    coverage = len(errors) / max(sum(each.total for each in utterances), 1)
    if not len(errors):
        return np.array([np.nan] * (len(METRICS) - 1) + [coverage])
    magnitude = np.abs(errors)
    within = np.mean(magnitude <= TOLERANCE + 1e-9)  # times are multiples of 100 ns
    return np.array(
        [1e3 * magnitude.mean(), 1e3 * np.median(magnitude), within, 1e3 * errors.mean(), coverage]
    )


def _merge_silences(intervals: Sequence[Interval]) -> list[Interval]:
    """The same intervals with one label for silence, and with adjacent silences merged."""
    merged: list[Interval] = []
    for each in intervals:
        phone = SILENCE if is_silence(each.phone) else each.phone
        if merged and merged[-1].phone == phone == SILENCE:
            merged[-1] = Interval(merged[-1].start, each.end, phone)
        else:
            merged.append(Interval(each.start, each.end, phone))
    return merged


def _uniform_start(intervals: Sequence[Interval], index: int) -> float:
    """Start of an interval in seconds if all intervals had equal duration."""
    first, last = intervals[0].start, intervals[-1].end
    return first + (last - first) * index / len(intervals)
