"""How a codebook is used: codes in use, perplexity, bit rates, and for how long a code stays.

A run is the same code on neighbouring frames. Collapsing runs to one code each is how units are handed to
language models (Lakhotia et al. 2021), so their rate and bits stand beside those of the frames.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import NUM_RESAMPLES, UtteranceTables, centered_interval
from speechvq.metrics.units import contingency

_GOES_ON, _BEGINS = 0, 1  # rows of the tables: the frame repeats the code before it, or begins a run
_BOTH = np.array([0, 1])


class CodebookScore(NamedTuple):
    """Figures of a codebook's use, over a whole set and not over a batch."""

    metrics: dict[str, float | int | None]
    intervals: dict[str, tuple[float, float] | None]  # of 95 %, by the bootstrap over utterances
    counts: np.ndarray  # (K,), frames of each code
    run_lengths: np.ndarray  # (L + 1,), how many runs are of 0, 1, 2 ... L frames


def score_codebook(
    utterances: Iterable[np.ndarray],
    num_codes: int,
    frame_rate_hz: float,
    *,
    seed: int = 0,
    num_resamples: int = NUM_RESAMPLES,
) -> CodebookScore:
    """Measure how codes are used; memory does not grow with the number of frames.

    Figures: `utterances`, `frames`, `num_codes`, `active_codes` and their share of K, `most_frequent_code_fraction` of the
    most frequent code; `perplexity`, 2 to the entropy; `bitrate_entropy` and `bitrate_max` in bit/s, the rate
    times that entropy and times log2 K; `mean_code_duration_ms`, the mean duration of a run, with `median_code_duration_ms` and `longest_code_duration_ms`,
    and `shuffled_mean_code_duration_ms`, what it is when frames are in random order; `deduplicated_rate_hz`, runs a second,
    `shuffled_deduplicated_rate_hz`, and `deduplicated_bitrate`, that rate times the entropy of the runs' codes.

    Args:
        utterances: (N,) each, integers in [0, K); taken one by one.
        num_codes: K.
        frame_rate_hz: codes a second.
        seed: of the bootstrap.
        resamplings: of the bootstrap.

    Raises:
        ValueError: there are no frames at all.
    """
    tables, lengths, count = UtteranceTables(num_codes), np.zeros(1, np.int64), 0
    for codes in utterances:
        begins = np.diff(codes, prepend=-1) != 0
        tables.add(begins.astype(int), codes)
        lengths = _added(lengths, np.bincount(np.diff(np.append(np.flatnonzero(begins), len(codes)))))
        count += 1
    if not lengths.any():
        raise ValueError("no codes; every utterance is empty")
    table = tables.table(_BOTH)[0]
    measured = {name: float(value) for name, value in _measured(table, frame_rate_hz).items()}
    draws = tables.resample(_BOTH, num_resamples=num_resamples, seed=seed)
    drawn = [_measured(each[0], frame_rate_hz) for each in draws]
    intervals = {
        name: centered_interval([each[name] for each in drawn], value, (0.0, math.inf))
        for name, value in measured.items()
    }
    counts = table.sum(axis=0)
    figures = _figures(counts, lengths, measured, count, frame_rate_hz)
    return CodebookScore(figures, intervals, counts, lengths)


def _measured(tables: np.ndarray, frame_rate: float) -> dict[str, np.ndarray]:
    """The figures that get an interval, from tables (..., 2, K) of repeated and of new codes; (...) each."""
    entropy = contingency.code_entropy(tables)
    frames = np.maximum(tables.sum(axis=(-2, -1)), 1)
    runs = np.maximum(tables[..., _BEGINS, :].sum(axis=-1), 1)
    collapsed = contingency.code_entropy(tables[..., _BEGINS:, :])
    return {
        "most_frequent_code_fraction": tables.sum(axis=-2).max(axis=-1) / frames,
        "perplexity": 2**entropy,
        "bitrate_entropy": frame_rate * entropy,
        "mean_code_duration_ms": 1000 / frame_rate * frames / runs,
        "deduplicated_rate_hz": frame_rate * runs / frames,
        "deduplicated_bitrate": frame_rate * runs / frames * collapsed,
    }


def _figures(
    counts: np.ndarray, lengths: np.ndarray, measured: dict[str, float], utterances: int, frame_rate: float
) -> dict[str, float | int | None]:
    """Every figure, in the order in which it is read."""
    frames, active = int(counts.sum()), int(np.count_nonzero(counts))
    changes = 1 - float(((counts / frames) ** 2).sum())  # how often neighbours differ in random order
    median = int(np.searchsorted(np.cumsum(lengths), lengths.sum() / 2))
    return {
        "utterances": utterances,
        "frames": frames,
        "num_codes": len(counts),
        "active_codes": active,
        "active_code_fraction": active / len(counts),
        "most_frequent_code_fraction": measured["most_frequent_code_fraction"],
        "perplexity": measured["perplexity"],
        "bitrate_entropy": measured["bitrate_entropy"],
        "bitrate_max": frame_rate * math.log2(len(counts)),
        "mean_code_duration_ms": measured["mean_code_duration_ms"],
        "median_code_duration_ms": 1000 / frame_rate * median,
        "longest_code_duration_ms": 1000 / frame_rate * (len(lengths) - 1),
        "shuffled_mean_code_duration_ms": 1000 / frame_rate / changes if changes > 0 else None,
        "deduplicated_rate_hz": measured["deduplicated_rate_hz"],
        "shuffled_deduplicated_rate_hz": frame_rate * changes,
        "deduplicated_bitrate": measured["deduplicated_bitrate"],
    }


def _added(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum of two histograms, the shorter one padded with zeros."""
    size = max(len(a), len(b))
    return np.pad(a, (0, size - len(a))) + np.pad(b, (0, size - len(b)))
