"""Copy baseline: the copy probability maximizes the likelihood, and probabilities sum to one."""

import numpy as np
import pytest

from speechvq.metrics.copy_baseline import CopyBaseline, fit_copy_baseline


def pairs(p_copy: float, count: int = 20_000, num_codes: int = 5) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    previous = rng.integers(num_codes, size=(count // 10, 10))
    drawn = rng.choice(num_codes, size=previous.shape, p=[0.4, 0.3, 0.2, 0.1, 0.0])
    return previous, np.where(rng.random(previous.shape) < p_copy, previous, drawn)


@pytest.mark.parametrize("p_copy", [0.0, 0.3, 0.9, 1.0])
def test_the_copy_probability_maximizes_the_likelihood(p_copy: float) -> None:
    previous, current = pairs(p_copy)
    model = fit_copy_baseline(previous, current, 5)
    assert model.p_copy == pytest.approx(p_copy, abs=0.02)
    best = model.bits(previous, current).mean()
    for other in np.linspace(0.0, 0.999, 40):
        assert CopyBaseline(float(other), model.code_probs).bits(previous, current).mean() >= best - 1e-3


def test_the_probabilities_sum_to_one() -> None:
    model = fit_copy_baseline(*pairs(0.5), 5)
    for previous in range(5):
        bits = model.bits(np.full(5, previous), np.arange(5))
        assert np.isfinite(bits).all() and (2.0**-bits).sum() == pytest.approx(1.0)
