"""The smoothed copy: its weight is the likeliest, its probabilities sum to one."""

import numpy as np
import pytest

from speechvq.metrics.copy_baseline import CopyBaseline, fit_copy_baseline


def pairs(stay: float, count: int = 20_000, num_codes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    before = rng.integers(num_codes, size=(count // 10, 10))
    drawn = rng.choice(num_codes, size=before.shape, p=[0.4, 0.3, 0.2, 0.1, 0.0])
    return before, np.where(rng.random(before.shape) < stay, before, drawn)


@pytest.mark.parametrize("stay", [0.0, 0.3, 0.9, 1.0])
def test_the_weight_is_the_likeliest(stay: float) -> None:
    before, after = pairs(stay)
    model = fit_copy_baseline(before, after, 5)
    assert model.p_copy == pytest.approx(stay, abs=0.02)
    best = model.bits(before, after).mean()
    for other in np.linspace(0.0, 0.999, 40):
        assert CopyBaseline(float(other), model.code_probs).bits(before, after).mean() >= best - 1e-3


def test_the_probabilities_sum_to_one() -> None:
    model = fit_copy_baseline(*pairs(0.5), 5)
    for before in range(5):
        bits = model.bits(np.full(5, before), np.arange(5))
        assert np.isfinite(bits).all() and (2.0**-bits).sum() == pytest.approx(1.0)
