"""The encoder's arithmetic of lengths, what a code depends on, and jitter."""

import dataclasses

import numpy as np
import pytest
import torch

from helpers.tiny import MODEL, noise, speech_model
from speechvq.config import EncoderConfig
from speechvq.speech import model as speech
from speechvq.speech.encoder.encoder import Encoder, jitter
from speechvq.speech.model import SpeechVQ

ENCODERS = {
    "8x": EncoderConfig((2, 2, 2), 8),
    "20x": EncoderConfig((2, 2, 5), 8),
    "15x": EncoderConfig((5, 3), 8, residual_blocks=2),
    "4x": EncoderConfig((1, 4), 8, residual_blocks=1),
    "1x": EncoderConfig((1,), 8),
    "32x mel": EncoderConfig((32,), 8, mel_bands=20),
    "60x mel": EncoderConfig((30, 2), 8, mel_bands=20, residual_blocks=1),
}


def model_of(name: str) -> SpeechVQ:
    return speech_model(dataclasses.replace(MODEL, encoder=ENCODERS[name]))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_length_gives_its_codes_and_converts_to_the_same_length(name: str) -> None:
    model, sound = model_of(name), noise(1, 200)[0].numpy()
    hop = model.config.hop
    assert hop == int(name.split("x")[0])
    for samples in range(1, 3 * hop + 1):
        codes = model.encode(sound[:samples])
        assert codes.shape == (-(-samples // hop),) and codes.dtype == np.int64
        if samples % hop in (0, 1, hop - 1):
            converted = model.convert(sound[:samples], "bob")
            assert converted.shape == (samples,) and converted.dtype == np.float32


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("frames", [1, 3, 16])
def test_pieces_of_a_long_sound_give_the_codes_of_the_whole(
    name: str, frames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces of one, three or sixteen frames: a margin too small by one frame would show."""
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
    """A method that notes how much sound it was given."""

    def __init__(self, method) -> None:  # type: ignore[no-untyped-def]
        self.method, self.lengths = method, list[int]()

    def __get__(self, instance: Encoder, _: type) -> "Spy":
        self.instance = instance
        return self

    def __call__(self, wave: torch.Tensor, colour: torch.Tensor | None) -> torch.Tensor:
        self.lengths.append(wave.shape[-1])
        return self.method(self.instance, wave, colour)


@pytest.mark.parametrize("name", ENCODERS)
def test_the_margin_covers_what_a_vector_depends_on(name: str) -> None:
    """Measured by gradients: no vector hears a sample further away than the margin."""
    encoder, hop = model_of(name).encoder, int(name.split("x")[0])
    wave = noise(1, 40 * hop).requires_grad_()
    colour = None if encoder.frontend is None else torch.zeros(1, encoder.frontend.spectrum.filters.shape[1])
    vectors = encoder(wave, colour)
    for n in (0, 20, 39):
        (gradient,) = torch.autograd.grad(vectors[0, n].square().sum(), wave, retain_graph=True)
        heard = gradient[0].nonzero().flatten()
        assert heard.min() >= (n - encoder.context_frames) * hop
        assert heard.max() < (n + 1 + encoder.context_frames) * hop
        assert heard.min() <= n * hop + hop - 1 and heard.max() >= n * hop, "and hears its own frame"


@pytest.mark.parametrize("gain", [0.01, 0.5, 20.0])
def test_the_level_of_a_sound_does_not_change_its_codes(gain: float) -> None:
    model, wave = model_of("8x"), noise(1, 800)[0].numpy()
    same = np.mean(model.encode(wave) == model.encode(np.float32(gain) * wave))
    assert same == 1.0


def test_jitter_takes_a_neighbour_or_leaves_the_frame() -> None:
    torch.manual_seed(0)
    vectors = torch.arange(50.0).view(1, 50, 1).expand(40, 50, 3)
    moved = jitter(vectors, 0.12) - vectors
    assert set(moved.unique().tolist()) == {-1.0, 0.0, 1.0}
    assert (moved == moved[..., :1]).all(), "a frame moves as a whole"
    assert (jitter(vectors, 1.0)[:, 0, 0] <= 1).all() and (jitter(vectors, 1.0)[:, -1, 0] >= 48).all()


@pytest.mark.parametrize("share", [0.0, 0.12, 0.5, 1.0])
def test_jitter_replaces_the_share_it_is_told_half_by_either_side(share: float) -> None:
    torch.manual_seed(0)
    vectors = torch.arange(1_000.0).view(1, 1_000, 1).expand(100, -1, 1)
    moved = (jitter(vectors, share) - vectors)[:, 1:-1]
    deviation = 4 * (share * (1 - share / 2) / moved.numel()) ** 0.5 + 1e-9
    assert float((moved == -1).double().mean()) == pytest.approx(share / 2, abs=deviation)
    assert float((moved == 1).double().mean()) == pytest.approx(share / 2, abs=deviation)


def test_gradients_flow_through_jitter_to_the_frame_that_was_taken() -> None:
    torch.manual_seed(1)
    vectors = torch.randn(2, 9, 3, requires_grad=True)
    jitter(vectors, 0.9).sum().backward()
    assert vectors.grad is not None
    assert float(vectors.grad.sum()) == 2 * 9 * 3 and (vectors.grad > 1).any()
