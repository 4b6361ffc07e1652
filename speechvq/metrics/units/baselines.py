"""Baseline codes: a constant code, shuffled codes and k-means; and statistics over seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.metrics.units.kmeans import Features, KMeansQuantizer


class BaselineCodes(NamedTuple):
    """Baseline codes of every scored utterance."""

    name: str
    seed: int
    codes: list[np.ndarray]  # (N,) each, integers in [0, K)


class SeedStatistics(NamedTuple):
    """Mean and standard deviation of a metric over seeds; NaN if the metric is undefined."""

    mean: float
    std: float  # sample standard deviation; NaN for a single seed


def constant_codes(lengths: Sequence[int]) -> BaselineCodes:
    """The same code for all frames; its phone purity is the fraction of the most frequent phone."""
    return BaselineCodes("majority phone", 0, [np.zeros(length, np.uint8) for length in lengths])


def shuffled_codes(units: BaselineCodes) -> BaselineCodes:
    """The same codes in random order over all frames of all utterances."""
    frames = np.random.default_rng(units.seed).permutation(np.concatenate(units.codes))
    ends = np.cumsum([len(each) for each in units.codes])[:-1]
    return BaselineCodes(f"shuffled {units.name}", units.seed, np.split(frames, ends))


def kmeans_codes(
    name: str,
    features: Sequence[Features],
    training_waves: Iterable[np.ndarray],
    waves: Iterable[np.ndarray],
    num_codes: int,
) -> list[BaselineCodes]:
    """Codes by k-means, for seeds 0, 1, ... in one pass over the waveforms, (T,) each, 16 kHz.

    Args:
        name: of the baseline.
        features: one feature extractor per seed; equal ones are computed once.
        training_waves: waveforms that the centroids are fitted on.
        waves: waveforms to encode.
        num_codes: K.

    Raises:
        ValueError: the training waveforms have fewer frames than codes.
    """
    frames: dict[Features, list[np.ndarray]] = {each: [] for each in features}
    for wave in training_waves:
        for each, parts in frames.items():
            parts.append(each(wave))
    joined = {each: np.concatenate(parts) for each, parts in frames.items()}
    quantizers = [
        KMeansQuantizer.fit(each, joined[each], num_codes, seed) for seed, each in enumerate(features)
    ]
    dtype = np.min_scalar_type(num_codes - 1)  # small, because all codes of a split stay in memory
    baselines = [BaselineCodes(name, seed, []) for seed in range(len(quantizers))]
    for wave in waves:
        extracted = {each: each(wave) for each in joined}
        for quantizer, baseline in zip(quantizers, baselines):
            baseline.codes.append(quantizer.nearest(extracted[quantizer.features]).astype(dtype))
    return baselines


def mean_over_seeds(metrics: Sequence[Mapping[str, float | int | None]]) -> dict[str, SeedStatistics]:
    """Mean and standard deviation of each metric; NaN for a metric that is None for any seed."""
    return {name: _spread([each[name] for each in metrics]) for name in metrics[0]}


def _spread(values: Sequence[float | int | None]) -> SeedStatistics:
    known = [float(value) for value in values if value is not None]
    if len(known) < len(values):
        return SeedStatistics(math.nan, math.nan)
    return SeedStatistics(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan)
