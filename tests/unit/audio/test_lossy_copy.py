"""The lossy copy: as long as the recording, without delay, close to it and not equal."""

import numpy as np
import pytest

from helpers.synthetic_speech import speech
from speechvq.audio.lossy_copy import lossy_copy


@pytest.mark.parametrize("samples", [0, 1, 999, 24_000])
def test_a_copy_keeps_length_and_type(samples: int) -> None:
    copy = lossy_copy(speech("ann")[:samples])
    assert copy.shape == (samples,) and copy.dtype == np.float32


def test_a_copy_is_close_and_in_time() -> None:
    wave = speech("ben")
    copy = lossy_copy(wave)
    lags = range(-20, 21)
    correlations = [np.dot(wave[100:-100], np.roll(copy, lag)[100:-100]) for lag in lags]
    assert lags[int(np.argmax(correlations))] == 0
    assert 0 < np.mean((wave - copy) ** 2) < 0.1 * np.mean(wave**2)
    assert np.array_equal(copy, lossy_copy(wave))
