"""The classifier tells synthetic throats apart, in noise too, and always in the same way."""

import numpy as np
import pytest

from helpers.voices import VOICES, speech
from speechvq.metrics.speaker_classifier import SpeakerClassifier

SOUNDS = [(voice, speech(voice, seed=10 * i + n)) for n, voice in enumerate(VOICES) for i in range(4)]


def fitted(seed: int = 0) -> SpeakerClassifier:
    return SpeakerClassifier.fit([wave for _, wave in SOUNDS], [voice for voice, _ in SOUNDS], seed=seed)


def test_new_sentences_are_recognised() -> None:
    classifier = fitted()
    for voice in VOICES:
        for seed in range(200, 205):
            assert classifier.predict(speech(voice, seed)) == voice


def test_hiss_does_not_hide_a_voice() -> None:
    rng, classifier = np.random.default_rng(0), fitted()
    for voice in VOICES:
        wave = speech(voice, 300)
        assert classifier.predict(wave + 0.006 * rng.standard_normal(len(wave))) == voice


def test_scores_name_every_voice_and_the_best_is_predicted() -> None:
    classifier, wave = fitted(), speech("ben", 400)
    scores = classifier.scores(wave)
    assert list(scores) == sorted(VOICES) and np.isfinite(list(scores.values())).all()
    assert max(scores, key=scores.__getitem__) == classifier.predict(wave) == "ben"


def test_fitting_is_deterministic_and_takes_an_iterator() -> None:
    again = SpeakerClassifier.fit((wave for _, wave in SOUNDS), [voice for voice, _ in SOUNDS])
    np.testing.assert_array_equal(fitted().weights, again.weights)
    assert not np.array_equal(fitted(seed=1).weights, again.weights)


@pytest.mark.parametrize(
    "wave", [np.zeros(0), np.zeros(10), np.full(100, 0.5)], ids=["empty", "silent", "short"]
)
def test_any_sound_has_scores(wave: np.ndarray) -> None:
    assert np.isfinite(list(fitted().scores(wave).values())).all()


def test_two_voices_are_needed_and_a_name_each() -> None:
    with pytest.raises(ValueError, match=r"recordings of 1 speaker\(s\)"):
        SpeakerClassifier.fit([SOUNDS[0][1]], ["ann"])
    with pytest.raises(ValueError, match="1 recordings and 2 names"):
        SpeakerClassifier.fit([SOUNDS[0][1]], ["ann", "ben"])
