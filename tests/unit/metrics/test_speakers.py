"""What codes tell of the speaker: nothing, all, and what scikit-learn says by hand."""

import numpy as np
import pytest
from sklearn.metrics import homogeneity_score

from speechvq.metrics.units.speakers import MAX_PER_SPEAKER, probe_utterances, score_speakers


def corpus(leak: float, *, speakers: int = 4) -> list[tuple[np.ndarray, str]]:
    """Six utterances each; a share of the codes are the speaker's own."""
    rng, made = np.random.default_rng(0), []
    for i in range(6 * speakers):
        own = 10 + 2 * (i % speakers) + rng.integers(2, size=120)
        codes = np.where(rng.random(120) < leak, own, rng.integers(10, size=120))
        made.append((codes, f"speaker {i % speakers}"))
    return made


def test_pnmi_is_scikit_learns() -> None:
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


def test_codes_that_tell_all_and_nothing() -> None:
    told, silent = score_speakers(corpus(1.0), 20), score_speakers(corpus(0.0), 20)
    assert told.metrics["speaker_pnmi"] == pytest.approx(1) and told.metrics["probe_accuracy"] == 1
    assert silent.metrics["speaker_pnmi"] == pytest.approx(silent.metrics["shuffled_speaker_pnmi"], abs=0.01)
    assert silent.metrics["probe_chance"] == 0.25
    low, high = silent.intervals["probe_accuracy"]
    assert low < 0.25 < high and told.intervals["probe_accuracy"][0] > 0.8


def test_names_and_order_change_no_information() -> None:
    utterances = corpus(0.3)
    renamed = [(19 - codes, speaker[::-1]) for codes, speaker in utterances[::-1]]
    first, second = (score_speakers(each, 20).metrics["speaker_pnmi"] for each in (utterances, renamed))
    assert first == pytest.approx(second, abs=1e-12)


def test_equal_calls_are_equal() -> None:
    assert score_speakers(corpus(0.2), 20) == score_speakers(corpus(0.2), 20)


def test_speakers_of_one_utterance_are_not_probed() -> None:
    utterances = [*corpus(0.5, speakers=2), (np.arange(20), "once"), (np.zeros(0, int), "silent")]
    figures = score_speakers(utterances, 20).metrics
    assert (figures["num_speakers"], figures["probe_speakers"], figures["probe_utterances"]) == (3, 2, 12)
    single = [(codes, str(i)) for i, (codes, _) in enumerate(corpus(0.5))]
    score = score_speakers(single, 20)
    assert score.metrics["probe_accuracy"] is None and score.intervals["probe_accuracy"] is None


def test_the_probe_reads_a_few_of_each_speaker() -> None:
    who = np.array([0] * 500 + [1] * 3 + [2])
    chosen = probe_utterances(who)
    assert np.bincount(who[chosen]).tolist() == [MAX_PER_SPEAKER, 3]
    assert chosen[0] == 0 and chosen[MAX_PER_SPEAKER - 1] == 499


@pytest.mark.parametrize("utterances", [[], [(np.arange(3), "a"), (np.arange(3), "a")]])
def test_fewer_than_two_speakers_are_rejected(utterances: list[tuple[np.ndarray, str]]) -> None:
    with pytest.raises(ValueError, match="two speakers or more"):
        score_speakers(utterances, 20)
