"""Codebook usage: a set worked out by hand, loops, and limiting cases."""

import itertools

import numpy as np
import pytest

from helpers import reference
from speechvq.metrics.units.codebook import score_codebook

BY_HAND = [np.array([3, 3, 3, 0, 0, 5]), np.array([5, 5, 0, 0]), np.zeros(0, int)]


def test_a_set_by_hand() -> None:
    score = score_codebook(BY_HAND, 8, 50.0)
    assert score.counts.tolist() == [4, 0, 0, 3, 0, 3, 0, 0]
    assert score.run_lengths.tolist() == [0, 1, 3, 1]  # an utterance's end ends a run: 5 and 5 5 are two
    metrics = score.metrics
    assert (metrics["utterances"], metrics["frames"], metrics["active_codes"]) == (3, 10, 3)
    assert (metrics["active_code_fraction"], metrics["most_frequent_code_fraction"]) == (3 / 8, 0.4)
    assert metrics["bitrate_max"] == 150
    assert metrics["mean_code_duration_ms"] == pytest.approx(10 / 5 * 20)
    assert (metrics["median_code_duration_ms"], metrics["longest_code_duration_ms"]) == (40, 60)
    assert metrics["deduplicated_rate_hz"] == pytest.approx(25)
    entropy = -(0.2 * np.log2(0.2) + 2 * 0.4 * np.log2(0.4))  # of the runs 3 0 5 5 0
    assert metrics["deduplicated_bitrate"] == pytest.approx(25 * entropy)
    alike = 0.4**2 + 2 * 0.3**2
    assert metrics["shuffled_deduplicated_rate_hz"] == pytest.approx(50 * (1 - alike))
    assert metrics["shuffled_mean_code_duration_ms"] == pytest.approx(20 / (1 - alike))


def test_metrics_equal_loops() -> None:
    rng = np.random.default_rng(0)
    utterances = [np.repeat(rng.integers(9, size=30), rng.integers(1, 5, size=30)) for _ in range(12)]
    score = score_codebook(iter(utterances), 20, 25.0)
    runs = [len(list(run)) for each in utterances for _, run in itertools.groupby(each.tolist())]
    every = np.concatenate(utterances)
    assert score.metrics["perplexity"] == pytest.approx(reference.perplexity(np.bincount(every).tolist()))
    assert score.metrics["bitrate_entropy"] == pytest.approx(25 * np.log2(score.metrics["perplexity"]))
    assert score.run_lengths.tolist() == np.bincount(runs).tolist()
    assert score.metrics["mean_code_duration_ms"] == pytest.approx(40 * np.mean(runs))
    for name, (low, high) in score.intervals.items():
        assert low < score.metrics[name] < high
    assert score_codebook(utterances, 20, 25.0).intervals == score.intervals


def test_random_codes_have_the_duration_of_shuffled_codes() -> None:
    codes = np.random.default_rng(0).integers(4, size=100_000)
    metrics = score_codebook([codes], 4, 100.0, num_resamples=2).metrics
    assert metrics["mean_code_duration_ms"] == pytest.approx(
        metrics["shuffled_mean_code_duration_ms"], rel=0.01
    )
    assert metrics["perplexity"] == pytest.approx(4, rel=0.001)


def test_one_code_only() -> None:
    metrics = score_codebook([np.zeros(10, int)], 1, 100.0).metrics
    assert (metrics["perplexity"], metrics["bitrate_max"], metrics["deduplicated_bitrate"]) == (1, 0, 0)
    assert (metrics["mean_code_duration_ms"], metrics["shuffled_mean_code_duration_ms"]) == (100, None)
    assert metrics["shuffled_deduplicated_rate_hz"] == 0


def test_no_codes_are_rejected() -> None:
    with pytest.raises(ValueError, match="every utterance is empty"):
        score_codebook([np.zeros(0, int)], 4, 100.0)
