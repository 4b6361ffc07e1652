"""The classifier recognizes synthetic speakers, also in noise, and is deterministic."""

import numpy as np
import pytest

from helpers.synthetic_speech import SPEAKERS, speech
from speechvq.metrics.speaker_classifier import SpeakerClassifier

RECORDINGS = [
    (speaker, speech(speaker, seed=10 * i + n)) for n, speaker in enumerate(SPEAKERS) for i in range(4)
]


def fitted(seed: int = 0) -> SpeakerClassifier:
    return SpeakerClassifier.fit(
        [wave for _, wave in RECORDINGS], [speaker for speaker, _ in RECORDINGS], seed=seed
    )


def test_new_sentences_are_classified() -> None:
    classifier = fitted()
    for speaker in SPEAKERS:
        for seed in range(200, 205):
            assert classifier.predict(speech(speaker, seed)) == speaker


def test_noisy_sentences_are_classified() -> None:
    rng, classifier = np.random.default_rng(0), fitted()
    for speaker in SPEAKERS:
        wave = speech(speaker, 300)
        assert classifier.predict(wave + 0.006 * rng.standard_normal(len(wave))) == speaker


def test_the_best_score_is_predicted() -> None:
    classifier, wave = fitted(), speech("ben", 400)
    scores = classifier.scores(wave)
    assert list(scores) == sorted(SPEAKERS) and np.isfinite(list(scores.values())).all()
    assert max(scores, key=scores.__getitem__) == classifier.predict(wave) == "ben"


def test_fitting_is_deterministic_and_takes_an_iterator() -> None:
    again = SpeakerClassifier.fit((wave for _, wave in RECORDINGS), [speaker for speaker, _ in RECORDINGS])
    np.testing.assert_array_equal(fitted().weights, again.weights)
    assert not np.array_equal(fitted(seed=1).weights, again.weights)


@pytest.mark.parametrize(
    "wave", [np.zeros(0), np.zeros(10), np.full(100, 0.5)], ids=["empty", "silent", "short"]
)
def test_degenerate_waveforms_have_finite_scores(wave: np.ndarray) -> None:
    assert np.isfinite(list(fitted().scores(wave).values())).all()


def test_missing_speakers_and_names_are_rejected() -> None:
    with pytest.raises(ValueError, match=r"recordings of 1 speaker\(s\)"):
        SpeakerClassifier.fit([RECORDINGS[0][1]], ["ann"])
    with pytest.raises(ValueError, match="1 recordings and 2 names"):
        SpeakerClassifier.fit([RECORDINGS[0][1]], ["ann", "ben"])
