"""What units must beat: one code everywhere, codes in any order, and k-means; and their spread over seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.metrics.units.kmeans import Features, KMeansQuantizer


class BaselineCodes(NamedTuple):
    """The units of every utterance that is scored."""

    name: str
    seed: int
    codes: list[np.ndarray]  # (N,) each, integers in [0, K)


class SeedStatistics(NamedTuple):
    """A figure over the seeds; NaN where there is none."""

    mean: float
    std: float  # of a sample, so NaN for a single seed


def constant_codes(lengths: Sequence[int]) -> BaselineCodes:
    """One code everywhere: mapped to the majority phone, so that its purity is the prior."""
    return BaselineCodes("majority phone", 0, [np.zeros(length, np.uint8) for length in lengths])


def shuffled_codes(units: BaselineCodes) -> BaselineCodes:
    """The same codes, permuted over all frames of all utterances: what their number alone gives."""
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
    """Units by k-means, with seeds 0, 1 and so on; one pass over the sounds, (T,) each at 16 kHz.

    Args:
        name: of the baseline.
        features: one for each seed; equal ones are computed once.
        heard: training sounds that the centroids are fitted on.
        sounds: what is encoded.
        num_codes: K.

    Raises:
        ValueError: the training sounds have fewer frames than codes.
    """
    frames: dict[Features, list[np.ndarray]] = {each: [] for each in features}
    for wave in training_waves:
        for each, parts in frames.items():
            parts.append(each(wave))
    joined = {each: np.concatenate(parts) for each, parts in frames.items()}
    units = [KMeansQuantizer.fit(each, joined[each], num_codes, seed) for seed, each in enumerate(features)]
    kind = np.min_scalar_type(num_codes - 1)  # all codes of a split are kept
    made = [BaselineCodes(name, seed, []) for seed in range(len(units))]
    for wave in waves:
        found = {each: each(wave) for each in joined}
        for each, baseline in zip(units, made):
            baseline.codes.append(each.nearest(found[each.features]).astype(kind))
    return made


def mean_over_seeds(figures: Sequence[Mapping[str, float | int | None]]) -> dict[str, SeedStatistics]:
    """Mean and standard deviation of each figure; a figure that is None for any seed is NaN."""
    return {name: _spread([each[name] for each in figures]) for name in figures[0]}


def _spread(values: Sequence[float | int | None]) -> SeedStatistics:
    known = [float(value) for value in values if value is not None]
    if len(known) < len(values):
        return SeedStatistics(math.nan, math.nan)
    return SeedStatistics(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan)
