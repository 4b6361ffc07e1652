"""Lengths, context and level invariance of the encoder."""

import dataclasses

import numpy as np
import pytest
import torch

from helpers.tiny import MODEL, noise, speech_model
from speechvq.audio.mel import WINDOW
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import EncoderConfig
from speechvq.speech import model as speech
from speechvq.speech.encoder.encoder import Encoder
from speechvq.speech.model import SpeechVQ

ENCODERS = {
    "8x": EncoderConfig((2, 2, 2), 8),
    "20x": EncoderConfig((2, 2, 5), 8),
    "15x": EncoderConfig((5, 3), 8, residual_blocks=2),
    "15x dilated": EncoderConfig((5, 3), 8, residual_blocks=3, dilations=(1, 3)),
    "4x": EncoderConfig((1, 4), 8, residual_blocks=1),
    "1x": EncoderConfig((1,), 8),
    "32x mel": EncoderConfig((32,), 8, mel_bands=20),
    "60x mel": EncoderConfig((30, 2), 8, mel_bands=20, residual_blocks=1),
    "20x mel, 2 ahead": EncoderConfig(
        (20,), 8, mel_bands=20, residual_blocks=3, dilations=(1, 2), lookahead_frames=2
    ),
    "20x mel, none ahead": EncoderConfig((20,), 8, mel_bands=20, residual_blocks=2, lookahead_frames=0),
}


def model_of(name: str) -> SpeechVQ:
    return speech_model(dataclasses.replace(MODEL, encoder=ENCODERS[name]))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_length_is_encoded_and_converted_to_the_same_length(name: str) -> None:
    model, wave = model_of(name), noise(1, 200)[0].numpy()
    hop = model.config.hop
    assert hop == int(name.split("x")[0])
    for samples in range(1, 3 * hop + 1):
        codes = model.encode(wave[:samples])
        assert codes.shape == (-(-samples // hop),) and codes.dtype == np.int64
        if samples % hop in (0, 1, hop - 1):
            converted = model.convert(wave[:samples], "bob")
            assert converted.shape == (samples,) and converted.dtype == np.float32


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("frames", [1, 3, 16])
def test_segments_of_a_long_recording_give_the_codes_of_the_whole(
    name: str, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With segments of one, three or sixteen frames, a context too small by one frame would change codes."""
    model, wave = model_of(name), noise(1, 60 * int(name.split("x")[0]) + 3, seed=5)[0].numpy()
    whole = model.encode(wave)
    seconds = frames * model.config.hop / model.config.sample_rate
    monkeypatch.setattr(speech, "ENCODE_SECONDS", seconds)
    monkeypatch.setattr(Encoder, "forward", spy := Spy(Encoder.forward))
    assert np.array_equal(model.encode(wave), whole)
    assert len(spy.lengths) == -(-len(whole) // frames)
    assert max(spy.lengths) <= (frames + 2 * model.encoder.context_frames) * model.config.hop, (
        "memory is bounded"
    )


class Spy:
    """A method that records the lengths of its inputs."""

    def __init__(self, method) -> None:  # type: ignore[no-untyped-def]
        self.method, self.lengths = method, list[int]()

    def __get__(self, instance: Encoder, _: type) -> "Spy":
        self.instance = instance
        return self

    def __call__(self, wave: torch.Tensor, mean: torch.Tensor | None) -> torch.Tensor:
        self.lengths.append(wave.shape[-1])
        return self.method(self.instance, wave, mean)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_context_covers_all_samples_that_a_vector_depends_on(name: str) -> None:
    """Measured by gradients: no sample beyond the context affects a vector."""
    encoder, hop = model_of(name).encoder, int(name.split("x")[0])
    wave = noise(1, 40 * hop).requires_grad_()
    mean = None if encoder.frontend is None else torch.zeros(1, encoder.frontend.spectrum.filters.shape[1])
    vectors = encoder(wave, mean)
    for n in (0, 20, 39):
        (gradient,) = torch.autograd.grad(vectors[0, n].square().sum(), wave, retain_graph=True)
        observed = gradient[0].nonzero().flatten()
        assert observed.min() >= (n - encoder.context_frames) * hop
        assert observed.max() < (n + 1 + encoder.context_frames) * hop
        assert observed.min() <= n * hop + hop - 1 and observed.max() >= n * hop, "its own frame affects it"


@pytest.mark.parametrize("gain", [0.01, 0.5, 20.0])
def test_the_level_of_a_recording_does_not_change_its_codes(gain: float) -> None:
    model, wave = model_of("8x"), noise(1, 800)[0].numpy()
    same = np.mean(model.encode(wave) == model.encode(np.float32(gain) * wave))
    assert same == 1.0


@pytest.mark.parametrize("lookahead", [0, 2, 3])
def test_vectors_depend_on_no_sample_beyond_the_lookahead(lookahead: int) -> None:
    """The spectra themselves are centered in their hops, and see half of their window."""
    hop, frames, middle = 20, 60, 30
    config = dataclasses.replace(ENCODERS["20x mel, 2 ahead"], residual_blocks=4, lookahead_frames=lookahead)
    encoder = Encoder(config, 4, MuLawCodec(0.85, 32)).eval()
    torch.manual_seed(0)
    for parameter in encoder.parameters():
        parameter.data += 0.3 * torch.randn_like(parameter)
    wave, mean = torch.randn(1, frames * hop), torch.zeros(1, 20)
    with torch.no_grad():
        vector = encoder(wave, mean)[0, middle]
        for first, is_equal in (
            ((middle + lookahead + 1) * hop + WINDOW // 2, True),
            ((middle + lookahead) * hop, False),
        ):
            changed = wave.clone()
            changed[:, first:] = torch.randn(1, frames * hop - first)
            assert torch.equal(encoder(changed, mean)[0, middle], vector) == is_equal
