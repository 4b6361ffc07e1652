"""What units must beat: one code everywhere, codes in any order, and k-means; and their spread over seeds."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.metrics.units.kmeans import Features, KMeansUnits


class Baseline(NamedTuple):
    """The units of every utterance that is scored."""

    name: str
    seed: int
    codes: list[np.ndarray]  # (N,) each, integers in [0, K)


class Spread(NamedTuple):
    """A figure over the seeds; NaN where there is none."""

    mean: float
    deviation: float  # of a sample, so NaN for a single seed


def constant_units(lengths: Sequence[int]) -> Baseline:
    """One code everywhere: mapped to the majority phone, so that its purity is the prior."""
    return Baseline("majority phone", 0, [np.zeros(length, np.uint8) for length in lengths])


def shuffled_units(units: Baseline) -> Baseline:
    """The same codes, permuted over all frames of all utterances: what their number alone gives."""
    frames = np.random.default_rng(units.seed).permutation(np.concatenate(units.codes))
    ends = np.cumsum([len(each) for each in units.codes])[:-1]
    return Baseline(f"shuffled {units.name}", units.seed, np.split(frames, ends))


def kmeans_units(
    name: str,
    features: Sequence[Features],
    heard: Iterable[np.ndarray],
    sounds: Iterable[np.ndarray],
    num_codes: int,
) -> list[Baseline]:
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
    for wave in heard:
        for each, parts in frames.items():
            parts.append(each(wave))
    joined = {each: np.concatenate(parts) for each, parts in frames.items()}
    units = [KMeansUnits.fit(each, joined[each], num_codes, seed) for seed, each in enumerate(features)]
    kind = np.min_scalar_type(num_codes - 1)  # all codes of a split are kept
    made = [Baseline(name, seed, []) for seed in range(len(units))]
    for wave in sounds:
        found = {each: each(wave) for each in joined}
        for each, baseline in zip(units, made):
            baseline.codes.append(each.nearest(found[each.features]).astype(kind))
    return made


def spread_over_seeds(figures: Sequence[Mapping[str, float | int | None]]) -> dict[str, Spread]:
    """Mean and standard deviation of each figure; a figure that is None for any seed is NaN."""
    return {name: _spread([each[name] for each in figures]) for name in figures[0]}


def _spread(values: Sequence[float | int | None]) -> Spread:
    known = [float(value) for value in values if value is not None]
    if len(known) < len(values):
        return Spread(math.nan, math.nan)
    return Spread(statistics.fmean(known), statistics.stdev(known) if len(known) > 1 else math.nan)
