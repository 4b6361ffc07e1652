"""Mono with a channel axis was refused by the Python interface, and an F0 contour with NaN was accepted."""

import numpy as np
import pytest
import torch

from helpers.tiny import speech_model

WAVE = (0.1 * np.random.default_rng(0).standard_normal(1_600)).astype(np.float32)


@pytest.mark.parametrize("make", [np.asarray, torch.from_numpy, lambda wave: torch.from_numpy(wave).double()])
def test_a_channel_axis_of_mono_is_dropped(make: object) -> None:
    model, wave = speech_model(), make(WAVE)  # type: ignore[operator]
    codes = model.encode(wave)
    assert np.array_equal(model.encode(wave[:, None]), codes)
    assert np.array_equal(model.encode(wave[None]), codes[None])
    assert np.array_equal(model.encode([wave[:, None], wave[None]])[1], codes)


@pytest.mark.parametrize("value", [np.nan, np.inf, -100.0])
def test_invalid_contours_get_one_sentence(value: float) -> None:
    model = speech_model()
    with pytest.raises(ValueError, match="f0: not finite Hz from 0; pass 0 where the speech is unvoiced"):
        model.decode(np.zeros(10, np.int64), "ada", f0=np.full(10, value, np.float32))
