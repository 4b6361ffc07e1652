"""Padding changed the last two frames of the shorter code strings of a batch."""

import numpy as np

from helpers.tiny import speech_model


def test_batched_decoding_equals_separate_decoding() -> None:
    model = speech_model()
    strings = [np.random.default_rng(n).integers(0, 8, n) for n in (9, 4, 1, 0, 6)]
    speakers = ["ada", "bob", "cyd", "ada", "bob"]
    together = model.decode(strings, speakers, seed=5)
    for string, speaker, wave in zip(strings, speakers, together):
        (alone,) = model.decode([string], [speaker], seed=5)
        assert len(wave) == len(string) * model.config.hop
        assert np.array_equal(wave, alone)
