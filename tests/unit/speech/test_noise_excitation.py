"""Conversion with noise in place of the WaveNet: each input is used, and nothing else changes the sound."""

import dataclasses

import numpy as np
import pytest
import torch

from helpers.synthetic_speech import speech
from helpers.tiny import SPEAKERS, WAVENET, speech_config, speech_model
from speechvq.audio.waveform import root_mean_square
from speechvq.config import SourceFilterConfig
from speechvq.errors import UserError
from speechvq.speech.model import SpeechVQ
from speechvq.speech.noise_excitation import convert_with_noise

SOURCES = ("spectra", "vectors", "codes")


@pytest.fixture(scope="module")
def model() -> SpeechVQ:
    """A model with a source-filter model whose outputs depend on its inputs."""
    torch.manual_seed(0)
    wavenet = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
    filters = SourceFilterConfig(filter_order=8, num_harmonics=6, mel_bands=20, channels=8)
    model = SpeechVQ(speech_config(wavenet=wavenet, source_filter=filters), SPEAKERS).eval()
    for parameter in model.decoder.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    model.speaker_f0.fill_(150.0)
    return model


@pytest.mark.parametrize("source", SOURCES)
def test_length_level_and_seed(model: SpeechVQ, source: str) -> None:
    wave = speech("ann")[:4001]
    sound = convert_with_noise(model, wave, "bob", source=source, seed=3)  # type: ignore[arg-type]
    assert sound.shape == wave.shape and sound.dtype == np.float32
    assert root_mean_square(sound) == pytest.approx(root_mean_square(wave), rel=0.3)
    again, other = (convert_with_noise(model, wave, "bob", source=source, seed=seed) for seed in (3, 4))  # type: ignore[arg-type]
    assert np.array_equal(sound, again) and not np.array_equal(sound, other)
    assert len(convert_with_noise(model, wave[:0], "bob", source=source)) == 0  # type: ignore[arg-type]


def test_each_input_makes_another_sound(model: SpeechVQ) -> None:
    sounds = [convert_with_noise(model, speech("ann")[:4000], "bob", source=source) for source in SOURCES]  # type: ignore[arg-type]
    assert all(not np.allclose(a, b, atol=1e-3) for a, b in zip(sounds, [*sounds[1:], sounds[0]]))


def test_the_spectra_of_the_recording_replace_the_predicted_ones(model: SpeechVQ) -> None:
    assert model.decoder.source_filter is not None
    log_mel = torch.randn(1, 4, 20)
    params = model.decoder.predict_params(
        torch.randn(1, 4, 4), torch.tensor([1]), torch.full((1, 4), 120.0), log_mel=log_mel
    )
    assert torch.equal(params.log_mel, log_mel)


def test_mistakes(model: SpeechVQ) -> None:
    with pytest.raises(ValueError, match="no source-filter model"):
        convert_with_noise(speech_model(), speech("ann"), "bob")
    with pytest.raises(UserError, match="unknown speaker"):
        convert_with_noise(model, speech("ann"), "nobody")
