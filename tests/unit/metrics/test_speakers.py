"""Speaker information in codes: none, full, and equal to scikit-learn."""

import numpy as np
import pytest
from sklearn.metrics import homogeneity_score

from speechvq.metrics.units.speakers import MAX_PER_SPEAKER, probe_utterances, score_speakers


def corpus(leak: float, *, speakers: int = 4) -> list[tuple[np.ndarray, str]]:
    """Six utterances per speaker; a fraction of the codes occurs for this speaker only."""
    rng, made = np.random.default_rng(0), []
    for i in range(6 * speakers):
        speaker_codes = 10 + 2 * (i % speakers) + rng.integers(2, size=120)
        codes = np.where(rng.random(120) < leak, speaker_codes, rng.integers(10, size=120))
        made.append((codes, f"speaker {i % speakers}"))
    return made


def test_pnmi_equals_scikit_learn() -> None:
    utterances = corpus(0.3)
    score = score_speakers(iter(utterances), 20)
    who = np.repeat([speaker for _, speaker in utterances], 120)
    codes = np.concatenate([codes for codes, _ in utterances])
    assert score.metrics["speaker_pnmi"] == pytest.approx(homogeneity_score(who, codes), abs=1e-12)
    low, high = score.intervals["speaker_pnmi"]
    assert low < score.metrics["speaker_pnmi"] < high
    assert score.metrics["shuffled_speaker_pnmi"] < score.metrics["speaker_pnmi"] / 2
    counts = [score.metrics[name] for name in ("utterances", "frames", "num_speakers", "probe_utterances")]
    assert counts == [24, 24 * 120, 4, 24]


def test_codes_with_full_and_without_speaker_information() -> None:
    full, none = score_speakers(corpus(1.0), 20), score_speakers(corpus(0.0), 20)
    assert full.metrics["speaker_pnmi"] == pytest.approx(1) and full.metrics["probe_accuracy"] == 1
    assert none.metrics["speaker_pnmi"] == pytest.approx(none.metrics["shuffled_speaker_pnmi"], abs=0.01)
    assert none.metrics["probe_chance"] == 0.25
    low, high = none.intervals["probe_accuracy"]
    assert low < 0.25 < high and full.intervals["probe_accuracy"][0] > 0.8


def test_pnmi_does_not_depend_on_names_and_order() -> None:
    utterances = corpus(0.3)
    renamed = [(19 - codes, speaker[::-1]) for codes, speaker in utterances[::-1]]
    first, second = (score_speakers(each, 20).metrics["speaker_pnmi"] for each in (utterances, renamed))
    assert first == pytest.approx(second, abs=1e-12)


def test_equal_calls_give_equal_scores() -> None:
    assert score_speakers(corpus(0.2), 20) == score_speakers(corpus(0.2), 20)


def test_speakers_with_one_utterance_are_not_in_the_probe() -> None:
    utterances = [*corpus(0.5, speakers=2), (np.arange(20), "once"), (np.zeros(0, int), "none")]
    metrics = score_speakers(utterances, 20).metrics
    assert (metrics["num_speakers"], metrics["probe_speakers"], metrics["probe_utterances"]) == (3, 2, 12)
    single = [(codes, str(i)) for i, (codes, _) in enumerate(corpus(0.5))]
    score = score_speakers(single, 20)
    assert score.metrics["probe_accuracy"] is None and score.intervals["probe_accuracy"] is None


def test_the_probe_uses_a_subset_of_each_speaker() -> None:
    who = np.array([0] * 500 + [1] * 3 + [2])
    chosen = probe_utterances(who)
    assert np.bincount(who[chosen]).tolist() == [MAX_PER_SPEAKER, 3]
    assert chosen[0] == 0 and chosen[MAX_PER_SPEAKER - 1] == 499


@pytest.mark.parametrize("utterances", [[], [(np.arange(3), "a"), (np.arange(3), "a")]])
def test_fewer_than_two_speakers_are_rejected(utterances: list[tuple[np.ndarray, str]]) -> None:
    with pytest.raises(ValueError, match="two speakers or more"):
        score_speakers(utterances, 20)
