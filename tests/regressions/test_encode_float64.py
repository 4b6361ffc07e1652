"""Audio in float64, the default type of numpy, ended the encoder with an internal error of torch."""

import numpy as np

from helpers.tiny import noise, speech_model


def test_float64_and_int16_waveforms_are_encoded() -> None:
    model, wave = speech_model(), noise(1, 800)[0].numpy()
    codes = model.encode(wave)
    assert np.array_equal(model.encode(wave.astype(np.float64)), codes)
    assert np.mean(model.encode((wave * 32767).round().astype(np.int16)) == codes) > 0.95
