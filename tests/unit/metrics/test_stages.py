"""Summary of stages: rates of all sentences together, seeds averaged, paired differences, missing scores."""

import math

import pytest

from speechvq.metrics.stages import compare_stages, estimate_stage

CLEAN = [[{"word_errors": 0.0, "words": 10.0, "dnsmos_overall": 3.0}] for _ in range(20)]
NOISY = [
    [
        {
            "word_errors": float(i % 5),
            "words": 10.0,
            "dnsmos_overall": 2.0 + 0.1 * seed,
            "f0_rmse_cents": math.nan,
        }
        for seed in range(2)
    ]
    for i in range(20)
]


def test_a_stage() -> None:
    found = estimate_stage(NOISY)
    assert list(found) == ["word_error_rate", "dnsmos_overall", "f0_rmse_cents"]
    rate, low, high = found["word_error_rate"]
    assert rate == pytest.approx(0.2) and low < rate < high
    assert found["dnsmos_overall"] == pytest.approx((2.05, 2.05, 2.05))
    assert math.isnan(found["f0_rmse_cents"].value)


def test_a_difference_has_the_metrics_of_both() -> None:
    found = compare_stages(NOISY, CLEAN)
    assert list(found) == ["word_error_rate", "dnsmos_overall"]
    assert found["word_error_rate"].value == pytest.approx(0.2)
    assert found["dnsmos_overall"] == pytest.approx((-0.95, -0.95, -0.95))
    assert compare_stages(NOISY, NOISY)["word_error_rate"] == (0, 0, 0)


def test_seven_of_seven_are_not_certain() -> None:
    found = estimate_stage([[{"target_preferred": 1.0}]] * 7)["target_preferred"]
    assert found.value == 1 and 0.5 < found.low < 0.7


def test_long_sentences_weigh_more() -> None:
    sentences = [[{"word_errors": 9.0, "words": 9.0}], [{"word_errors": 0.0, "words": 1.0}]]
    assert estimate_stage(sentences)["word_error_rate"].value == pytest.approx(0.9)
