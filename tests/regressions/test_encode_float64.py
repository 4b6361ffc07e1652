"""Audio in float64, numpy's default type, stopped the encoder with an error from inside torch."""

import numpy as np

from helpers.tiny import noise, speech_model


def test_integers_and_doubles_are_sounds_too() -> None:
    model, wave = speech_model(), noise(1, 800)[0].numpy()
    codes = model.encode(wave)
    assert np.array_equal(model.encode(wave.astype(np.float64)), codes)
    assert np.mean(model.encode((wave * 32767).round().astype(np.int16)) == codes) > 0.95
