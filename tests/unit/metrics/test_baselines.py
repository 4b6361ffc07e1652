"""Baselines: a constant code scores the prior, shuffled codes keep their counts, k-means reads audio once."""

import math

import numpy as np
import pytest

from speechvq.alignment.intervals import Interval
from speechvq.metrics.units.baselines import (
    BaselineCodes,
    constant_codes,
    kmeans_codes,
    mean_over_seeds,
    shuffled_codes,
)
from speechvq.metrics.units.purity import LabeledCodes, score_purity


def test_a_constant_code_scores_the_prior() -> None:
    phones = [Interval(0, 0.5, "A"), Interval(0.5, 0.8, "B"), Interval(0.8, 1.0, "C")]
    units = constant_codes([10, 10])
    labeled = [LabeledCodes(codes, phones, speaker) for codes, speaker in zip(units.codes, "xy")]
    metrics = score_purity(labeled, 8, 10.0, num_resamples=0)["all"].metrics
    assert metrics["phone_purity"] == metrics["majority_prior"] == metrics["phone_purity_heldout"] == 0.5
    assert metrics["pnmi"] == 0 and metrics["active_codes"] == 1


def test_shuffling_keeps_lengths_and_codes() -> None:
    codes = [np.arange(n) + 10 * n for n in (3, 0, 50)]
    mixed = shuffled_codes(BaselineCodes("made", 4, codes))
    assert mixed.name == "shuffled made" and [len(each) for each in mixed.codes] == [3, 0, 50]
    assert sorted(np.concatenate(mixed.codes)) == sorted(np.concatenate(codes))
    assert not np.array_equal(mixed.codes[2], codes[2])
    again = shuffled_codes(BaselineCodes("made", 4, codes))
    assert all(map(np.array_equal, mixed.codes, again.codes))


def test_kmeans_reads_each_waveform_once() -> None:
    calls = []

    def features(wave: np.ndarray) -> np.ndarray:
        calls.append(len(wave))
        return wave.reshape(-1, 2)

    def negated(wave: np.ndarray) -> np.ndarray:
        return -wave.reshape(-1, 2)

    rng = np.random.default_rng(0)
    training_waves, waves = (
        [rng.standard_normal(n).astype(np.float32) for n in sizes] for sizes in ((60, 80), (20, 0, 40))
    )
    made = kmeans_codes("k", [features, features, negated], iter(training_waves), iter(waves), 300 // 10)
    assert calls == [60, 80, 20, 0, 40]
    assert [(each.name, each.seed) for each in made] == [("k", 0), ("k", 1), ("k", 2)]
    assert [[len(codes) for codes in each.codes] for each in made] == [[10, 0, 20]] * 3
    assert made[0].codes[0].dtype == np.uint8 and max(codes.max(initial=0) for codes in made[0].codes) < 30
    with pytest.raises(ValueError, match="70 training frames for 71 codes"):
        kmeans_codes("k", [features], training_waves, waves, 71)


def test_mean_and_standard_deviation_over_seeds() -> None:
    spread = mean_over_seeds([{"a": 1.0, "b": None}, {"a": 4, "b": 2}])
    assert spread["a"].mean == 2.5 and spread["a"].std == pytest.approx(math.sqrt(4.5))
    assert math.isnan(spread["b"].mean) and math.isnan(spread["b"].std)
    alone = mean_over_seeds([{"a": 3}])["a"]
    assert alone.mean == 3 and math.isnan(alone.std)
