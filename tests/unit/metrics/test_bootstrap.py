"""Bootstrap and Wilson intervals: known values, coverage of the true value, and fixed seeds."""

import math

import numpy as np
import pytest

from speechvq.metrics.bootstrap import (
    bootstrap_interval,
    centered_interval,
    difference_with_interval,
    draw_weights,
    mean_with_interval,
    weighted_mean_with_interval,
    wilson_interval,
)


def test_weights_are_draws_with_replacement_and_do_not_depend_on_chunks() -> None:
    weights = np.concatenate(list(draw_weights(5, 1000, seed=1)))
    assert weights.shape == (1000, 5) and (weights.sum(axis=1) == 5).all()
    assert weights.mean(axis=0) == pytest.approx([1] * 5, abs=0.1)
    chunks = list(draw_weights(5, 1000, seed=1, chunk_size=300))
    assert [len(chunk) for chunk in chunks] == [300, 300, 300, 100]
    assert (np.concatenate(chunks) == weights).all()
    assert list(draw_weights(5, 0)) == []


def test_interval_of_a_mean_has_the_standard_width() -> None:
    values = np.random.default_rng(0).normal(5, 2, size=400)
    low, high = bootstrap_interval(lambda weights: weights @ values / 400, 400)
    assert (low, high) == pytest.approx((values.mean() - 0.196, values.mean() + 0.196), abs=0.03)


def test_interval_of_several_statistics_ignores_nan() -> None:
    def statistics(weights: np.ndarray) -> np.ndarray:
        return np.stack([weights[:, 0] / 2, np.where(weights[:, 0] > 0, 1.0, np.nan)], axis=1)

    low, high = bootstrap_interval(statistics, 2)
    assert low.tolist() == [0, 1] and high.tolist() == [1, 1]


def test_wilson_interval_of_8_of_8_and_of_0_of_8() -> None:
    assert wilson_interval(8, 8) == pytest.approx((0.676, 1), abs=1e-3)
    assert wilson_interval(0, 8) == pytest.approx((0, 0.324), abs=1e-3)


def test_centered_interval_contains_its_estimate_and_stays_in_bounds() -> None:
    values = np.random.default_rng(0).normal(5, 1, size=10_000)
    low, high = centered_interval([values[:10], values[10:]], 3.0, (0.0, 4.5))
    assert (low, high) == (pytest.approx(3 - 1.96, abs=0.1), 4.5)
    assert centered_interval([np.full(3, np.nan)], 1.0, (0, 1)) is None
    assert centered_interval([], 1.0, (0, 1)) is None
    assert centered_interval([values], np.nan, (0, 1)) is None


def test_interval_of_zeros_and_ones_is_wilsons() -> None:
    assert mean_with_interval([1.0] * 8) == pytest.approx((1, 0.676, 1), abs=1e-3)
    assert mean_with_interval([1.0, 0.0, math.nan, 0.0, 1.0]) == pytest.approx((0.5, 0.150, 0.850), abs=1e-3)


def test_interval_of_values_covers_their_mean() -> None:
    covered = 0
    for seed in range(20):
        _, low, high = mean_with_interval(np.random.default_rng(seed).normal(3, 1, 40).tolist())
        covered += low < 3 < high
    assert 16 <= covered <= 20
    assert mean_with_interval([2.5, 1.0]) == mean_with_interval([2.5, 1.0])
    assert all(map(math.isnan, mean_with_interval([math.nan])))


def test_weighted_mean_is_the_rate_of_all_items_together() -> None:
    errors, words = np.array([2, 0, 5, 0]), np.array([4, 10, 10, 0])
    with np.errstate(invalid="ignore"):
        mean, low, high = weighted_mean_with_interval(errors / words, words)
    assert mean == pytest.approx(7 / 24) and 0 <= low < mean < high <= 0.5
    assert all(map(math.isnan, weighted_mean_with_interval([math.nan], [1.0])))


def test_paired_differences_are_narrower_than_differences_of_independent_items() -> None:
    rng = np.random.default_rng(0)
    difficulty = rng.normal(20, 10, 60)
    first, second = difficulty + rng.normal(2, 1, 60), difficulty + rng.normal(0, 1, 60)
    mean, low, high = difference_with_interval(first, second)
    assert mean == pytest.approx(np.mean(first - second)) and 1 < low < 2 < high < 3
    assert difference_with_interval(first, first) == (0, 0, 0)
    unpaired = difference_with_interval(first, rng.permutation(second))
    assert unpaired[2] - unpaired[1] > 3 * (high - low)
    with_gap = difference_with_interval([*first, math.nan, 1.0], [*second, 0.0, math.nan])
    assert with_gap[0] == pytest.approx(mean)


def test_a_single_item_has_no_interval() -> None:
    low, high = bootstrap_interval(lambda weights: weights @ np.ones((1, 3)), 1)
    assert low.shape == high.shape == (3,) and np.isnan([low, high]).all()
    estimates = (
        mean_with_interval([2.5, math.nan]),
        mean_with_interval([1.0]),  # a proportion too
        weighted_mean_with_interval([0.5], [4.0]),
        difference_with_interval([2.0, math.nan], [1.0, 1.0]),
    )
    assert [each[0] for each in estimates] == [2.5, 1.0, 0.5, 1.0]
    assert all(math.isnan(each[1]) and math.isnan(each[2]) for each in estimates)
