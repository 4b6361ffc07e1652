"""Confidence intervals of 95 %: the bootstrap over items, and Wilson's interval of a proportion.

The bootstrap (Efron 1979) draws whole items, such as utterances or speakers, with replacement. Frames are not
drawn, because neighboring frames belong to the same phone and are not independent. One item has no interval:
every resample of it is the same.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np

NUM_RESAMPLES = 1000
CONFIDENCE = 0.95
MIN_ITEMS = 2  # of an interval

_MAX_WEIGHTS = 4_000_000  # drawn at once; bounds memory
_PERCENTILES = (50 * (1 - CONFIDENCE), 50 * (1 + CONFIDENCE))


def draw_weights(
    num_items: int, num_resamples: int = NUM_RESAMPLES, *, seed: int = 0, chunk_size: int | None = None
) -> Iterator[np.ndarray]:
    """How often each item occurs in each resample.

    Args:
        num_items: n, items to draw from; each resample draws n of them with replacement.
        num_resamples: resamples in total.
        seed: of the draws; the weights do not depend on `chunk_size`.
        chunk_size: resamples per array; None for as many as fit into a fixed amount of memory.

    Yields:
        (b, n), int64, rows sum to n; the b sum to `num_resamples`.
    """
    rng = np.random.default_rng(seed)
    step = max(1, _MAX_WEIGHTS // max(num_items, 1)) if chunk_size is None else chunk_size
    for first in range(0, num_resamples, step):
        size = min(step, num_resamples - first)
        yield rng.multinomial(num_items, np.full(num_items, 1 / num_items), size=size)


def bootstrap_interval(
    statistic: Callable[[np.ndarray], np.ndarray],
    num_items: int,
    *,
    num_resamples: int = NUM_RESAMPLES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Percentile bootstrap interval of one statistic or of several.

    Args:
        statistic: maps weights (b, n), see `draw_weights`, to values (b, ...); NaN values are ignored.
        num_items: n.
        num_resamples: resamples in total.
        seed: of the draws.

    Returns:
        Lower and upper ends, (...) each; NaN for a single item.
    """
    if num_items < MIN_ITEMS:
        undefined = np.full(np.shape(statistic(np.ones((1, num_items), np.int64)))[1:], np.nan)
        return undefined, undefined
    values = [statistic(weights) for weights in draw_weights(num_items, num_resamples, seed=seed)]
    low, high = np.nanpercentile(np.concatenate(values), _PERCENTILES, axis=0)
    return low, high


def centered_interval(
    values: Sequence[np.ndarray], estimate: float, bounds: tuple[float, float]
) -> tuple[float, float] | None:
    """Percentile interval of resampled values, shifted so that their mean equals the estimate.

    A resample holds fewer distinct utterances than the corpus, which biases purity and mutual information
    upwards. The shift removes this bias, so the interval contains its estimate.

    Args:
        values: (b,) each, the metric of every resample; NaN values are ignored.
        estimate: the metric of the corpus.
        bounds: lowest and highest possible value of the metric.

    Returns:
        Lower and upper end; None if there is no finite value.
    """
    joined = np.concatenate([np.empty(0), *values])
    finite = joined[np.isfinite(joined)]
    if not len(finite) or not np.isfinite(estimate):
        return None
    low, high = np.percentile(finite, _PERCENTILES) - finite.mean() + estimate
    return max(float(low), bounds[0]), min(float(high), bounds[1])


def mean_with_interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """Mean of the values that are not NaN, with its confidence interval.

    Values that are all 0 or 1 get Wilson's interval, which is not empty for 8 of 8; other values get the
    bootstrap interval. The items are conversions and not speakers, so the interval covers other sentences by
    the same speakers.

    Args:
        values: one value per item.
        seed: of the bootstrap.

    Returns:
        Mean, lower end, upper end; NaN for both ends if one value is left, and three NaN if none is.
    """
    finite = np.array([value for value in values if math.isfinite(value)])
    if not len(finite):
        return math.nan, math.nan, math.nan
    mean = float(finite.mean())
    if set(finite.tolist()) <= {0.0, 1.0} and len(finite) >= MIN_ITEMS:
        return mean, *wilson_interval(int(finite.sum()), len(finite))
    low, high = bootstrap_interval(lambda weights: weights @ finite / len(finite), len(finite), seed=seed)
    return mean, float(low), float(high)


def weighted_mean_with_interval(
    values: Sequence[float], weights: Sequence[float], *, seed: int = 0
) -> tuple[float, float, float]:
    """Weighted mean, sum(w v) / sum(w), of the values that are not NaN, with its bootstrap interval.

    With error rates as values and lengths as weights, this is the error rate of all items together.

    Args:
        values: one value per item.
        weights: not negative, one per item.
        seed: of the bootstrap.

    Returns:
        Mean, lower end, upper end; NaN for both ends if one item is left, and three NaN if none is.
    """
    mean, low, high = difference_with_interval(values, None, weights, seed=seed)
    return mean, low, high


def difference_with_interval(
    first: Sequence[float],
    second: Sequence[float] | None,
    weights: Sequence[float] | None = None,
    *,
    seed: int = 0,
) -> tuple[float, float, float]:
    """Weighted mean of `first` minus that of `second`, with its paired bootstrap interval.

    Both means are of the same items, and each resample draws the same items for both, so that what makes an
    item difficult cancels. Items where either value is NaN are left out.

    Args:
        first: one value per item.
        second: one value per item; None for zeros.
        weights: not negative, one per item; None for equal weights.
        seed: of the bootstrap; equal numbers of items are drawn alike.

    Returns:
        Difference, lower end, upper end; NaN for both ends if one item is left, and three NaN if none is.
    """
    differences = np.array(first, float) - (0.0 if second is None else np.array(second, float))
    weight = np.ones(len(differences)) if weights is None else np.array(weights, float)
    kept = np.isfinite(differences) & (weight > 0)
    differences, weight = differences[kept], weight[kept]
    if not len(differences):
        return math.nan, math.nan, math.nan
    totals = differences * weight
    low, high = bootstrap_interval(
        lambda counts: (counts @ totals) / (counts @ weight), len(differences), seed=seed
    )
    return float(totals.sum() / weight.sum()), float(low), float(high)


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Wilson's score interval of a proportion (Wilson 1927)."""
    from scipy.stats import binomtest

    interval = binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)
