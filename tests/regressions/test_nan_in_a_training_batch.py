"""NaN in the waveform of a training batch: an IndexError instead of an update that is not applied."""

import math

import pytest
import torch

from helpers.tiny import noise, speech_config, speech_model
from speechvq.audio.mulaw import MuLawCodec


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_bins_of_values_that_are_not_finite_are_valid(value: float) -> None:
    bins = MuLawCodec(0.0, 32).encode(torch.tensor([[value, 0.0]]))
    assert 0 <= bins.min() <= bins.max() < 32


@pytest.mark.parametrize("codebook", ["loss", "ema"])
def test_the_loss_of_a_batch_with_nan_is_nan(codebook: str) -> None:
    model = speech_model(speech_config(codebook)).train()
    wave = noise(2, 320)
    wave[0, 100] = math.nan
    assert model(wave, torch.tensor([0, 1])).total.isnan()
