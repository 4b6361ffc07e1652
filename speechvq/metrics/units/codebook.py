"""Codebook usage: active codes, perplexity, bit rates and code durations.

A run is a sequence of frames with the same code. Language models on units are trained on deduplicated codes,
one code per run (Lakhotia et al. 2021), so the rate and bit rate of the runs are reported beside those of the
frames.
"""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import centered_interval
from speechvq.metrics.units import contingency
from speechvq.metrics.units.utterance_tables import (
    TABLE_RESAMPLES,
    SparseTable,
    UtteranceTables,
    sparse_table,
)

_RUN_STARTS = 1  # row of the tables; row 0 counts frames that repeat the previous code
_BOTH_ROWS = np.array([0, 1])


class CodebookScore(NamedTuple):
    """Codebook usage over a whole data set."""

    metrics: dict[str, float | int | None]
    intervals: dict[str, tuple[float, float] | None]  # 95 %, bootstrap over utterances
    counts: np.ndarray  # (K,), frames of each code
    run_lengths: np.ndarray  # (L + 1,), number of runs of 0, 1, 2 ... L frames


def score_codebook(
    utterances: Iterable[np.ndarray],
    num_codes: int,
    frame_rate_hz: float,
    *,
    seed: int = 0,
    num_resamples: int = TABLE_RESAMPLES,
) -> CodebookScore:
    """Measure codebook usage; memory does not grow with the number of frames.

    Metrics, with `shuffled_` for the same codes in random order:

    - `utterances`, `frames`, `num_codes`: counts.
    - `active_codes`, `active_code_fraction`: codes that occur, as a count and as a fraction of K.
    - `most_frequent_code_fraction`: frames of the most frequent code.
    - `perplexity`: 2 to the entropy in bits.
    - `bitrate_entropy`, `bitrate_max`: frame rate times entropy and times log2 K, bit/s.
    - `mean_code_duration_ms`, `median_code_duration_ms`, `longest_code_duration_ms`: durations of runs.
    - `deduplicated_rate_hz`, `deduplicated_bitrate`: runs per second, and this rate times the entropy of the
      runs' codes, bit/s.

    Args:
        utterances: (N,) each, integers in [0, K); read one by one.
        num_codes: K.
        frame_rate_hz: codes per second.
        seed: of the bootstrap.
        num_resamples: of the bootstrap.

    Raises:
        ValueError: there are no frames.
    """
    counter = CodebookCounter(num_codes)
    for codes in utterances:
        counter.add(count_codes(codes, num_codes))
    return counter.score(frame_rate_hz, seed=seed, num_resamples=num_resamples)


class CodeCounts(NamedTuple):
    """What codebook usage needs to know of one utterance."""

    table: SparseTable  # row 0 counts frames that repeat the previous code, row 1 the others
    run_lengths: np.ndarray  # (L + 1,), number of runs of 0, 1, 2 ... L frames


def count_codes(codes: np.ndarray, num_codes: int) -> CodeCounts:
    """Count the codes (N,) of an utterance, integers in [0, K)."""
    starts = np.diff(codes, prepend=-1) != 0
    lengths = np.bincount(np.diff(np.append(np.flatnonzero(starts), len(codes))))
    return CodeCounts(sparse_table(starts.astype(int), codes, num_codes), lengths)


class CodebookCounter:
    """The counts of all utterances, in bounded memory."""

    def __init__(self, num_codes: int) -> None:
        """
        Args:
            num_codes: K.
        """
        self._tables, self._lengths, self._count = UtteranceTables(num_codes), np.zeros(1, np.int64), 0

    def add(self, counts: CodeCounts) -> None:
        """Add one utterance."""
        self._tables.add_table(counts.table)
        self._lengths = _add_histograms(self._lengths, counts.run_lengths)
        self._count += 1

    def score(
        self, frame_rate_hz: float, *, seed: int = 0, num_resamples: int = TABLE_RESAMPLES
    ) -> CodebookScore:
        """Codebook usage; arguments and errors as of `score_codebook`."""
        if not self._lengths.any():
            raise ValueError("no codes; every utterance is empty")
        table = self._tables.table(_BOTH_ROWS)[0]
        estimates = {name: float(value) for name, value in _resampled_metrics(table, frame_rate_hz).items()}
        draws = self._tables.resample(_BOTH_ROWS, num_resamples=num_resamples, seed=seed)
        drawn = [_resampled_metrics(each[0], frame_rate_hz) for each in draws]
        intervals = {
            name: centered_interval([each[name] for each in drawn], value, (0.0, math.inf))
            for name, value in estimates.items()
        }
        counts = table.sum(axis=0)
        metrics = _all_metrics(counts, self._lengths, estimates, self._count, frame_rate_hz)
        return CodebookScore(metrics, intervals, counts, self._lengths)


def _resampled_metrics(tables: np.ndarray, frame_rate: float) -> dict[str, np.ndarray]:
    """Metrics that get an interval, (...) each, from tables (..., 2, K) of repeated codes and run starts."""
    entropy = contingency.code_entropy(tables)
    frames = np.maximum(tables.sum(axis=(-2, -1)), 1)
    runs = np.maximum(tables[..., _RUN_STARTS, :].sum(axis=-1), 1)
    run_entropy = contingency.code_entropy(tables[..., _RUN_STARTS:, :])
    return {
        "most_frequent_code_fraction": tables.sum(axis=-2).max(axis=-1) / frames,
        "perplexity": 2**entropy,
        "bitrate_entropy": frame_rate * entropy,
        "mean_code_duration_ms": 1000 / frame_rate * frames / runs,
        "deduplicated_rate_hz": frame_rate * runs / frames,
        "deduplicated_bitrate": frame_rate * runs / frames * run_entropy,
    }


def _all_metrics(
    counts: np.ndarray, lengths: np.ndarray, estimates: dict[str, float], utterances: int, frame_rate: float
) -> dict[str, float | int | None]:
    """All metrics, in the order of the tables."""
    frames, active = int(counts.sum()), int(np.count_nonzero(counts))
    changes = 1 - float(((counts / frames) ** 2).sum())  # probability that neighbors differ in random order
    median = int(np.searchsorted(np.cumsum(lengths), lengths.sum() / 2))
    return {
        "utterances": utterances,
        "frames": frames,
        "num_codes": len(counts),
        "active_codes": active,
        "active_code_fraction": active / len(counts),
        "most_frequent_code_fraction": estimates["most_frequent_code_fraction"],
        "perplexity": estimates["perplexity"],
        "bitrate_entropy": estimates["bitrate_entropy"],
        "bitrate_max": frame_rate * math.log2(len(counts)),
        "mean_code_duration_ms": estimates["mean_code_duration_ms"],
        "median_code_duration_ms": 1000 / frame_rate * median,
        "longest_code_duration_ms": 1000 / frame_rate * (len(lengths) - 1),
        "shuffled_mean_code_duration_ms": 1000 / frame_rate / changes if changes > 0 else None,
        "deduplicated_rate_hz": estimates["deduplicated_rate_hz"],
        "shuffled_deduplicated_rate_hz": frame_rate * changes,
        "deduplicated_bitrate": estimates["deduplicated_bitrate"],
    }


def _add_histograms(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum of two histograms; the shorter one is padded with zeros."""
    size = max(len(a), len(b))
    return np.pad(a, (0, size - len(a))) + np.pad(b, (0, size - len(b)))
