"""F0 and phase as conditions: the decoder is causal, and cached sampling equals the parallel form."""

import dataclasses

import pytest
import torch
from torch import Tensor

from helpers.tiny import WAVENET
from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.categorical import sample_categorical
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.sampler import sample

HOP, DIM = 8, 4
OPTIONS = {
    "f0": {"condition_on_f0": True},
    "phase": {"condition_on_f0": True, "condition_on_phase": True},
}


def wavenet(options: str) -> WaveNet:
    """A WaveNet in which every parameter is random, so that every part contributes."""
    torch.manual_seed(0)
    model = WaveNet(dataclasses.replace(WAVENET, **OPTIONS[options]), DIM, num_speakers=3)  # type: ignore[arg-type]
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return model.eval()


def phases(batch: int, samples: int) -> Tensor:
    """Random phase bins."""
    return torch.randint(
        NUM_PHASE_BINS + 1, (batch, samples), generator=torch.Generator().manual_seed(3)
    ).byte()


def inputs(batch: int, frames: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Vectors, speakers, F0 with unvoiced frames, and uniforms."""
    generator = torch.Generator().manual_seed(2)
    f0 = 300 + 100 * torch.rand(batch, frames, generator=generator)
    f0[:, 4:7] = 0
    uniforms = torch.rand(batch, frames * HOP, generator=generator, dtype=torch.float64)
    return torch.randn(batch, frames, DIM, generator=generator), torch.arange(batch) % 3, f0, uniforms


@torch.no_grad()
@pytest.mark.parametrize("options", OPTIONS)
def test_a_future_sample_changes_no_past_prediction(options: str) -> None:
    model, (vectors, speaker, f0, _) = wavenet(options), inputs(1, 12)
    bins = torch.randint(WAVENET.mulaw_bins, (1, 12 * HOP), generator=torch.Generator().manual_seed(0))
    phase = phases(*bins.shape)
    before = model(bins, vectors, speaker, f0, phase)
    for t in range(0, bins.shape[1], 5):
        changed = bins.clone()
        changed[:, t] = (changed[:, t] + 11) % WAVENET.mulaw_bins
        after = model(changed, vectors, speaker, f0, phase)
        assert torch.allclose(before[:, : t + 1], after[:, : t + 1], atol=1e-5)
        assert t + 1 == bins.shape[1] or not torch.allclose(before[:, t + 1], after[:, t + 1], atol=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("options", OPTIONS)
def test_both_engines_sample_from_the_parallel_logits(options: str) -> None:
    model, (vectors, speaker, f0, uniforms) = wavenet(options), inputs(3, 14)
    phase = phases(*uniforms.shape)
    numba = sample(model, vectors, speaker, uniforms, f0=f0, phase=phase, engine="numba")
    stepwise = sample(model, vectors, speaker, uniforms, f0=f0, phase=phase, engine="torch")
    assert torch.equal(numba, stepwise)
    logits = model(numba, vectors, speaker, f0, phase)
    drawn = sample_categorical(logits.flatten(0, 1), uniforms.flatten()).view_as(numba)
    assert float((drawn == numba).double().mean()) > 0.995, "rounding decides some ties"


@pytest.mark.parametrize("options", OPTIONS)
def test_a_stream_does_not_depend_on_the_other_streams(options: str) -> None:
    model, (vectors, speaker, f0, uniforms) = wavenet(options), inputs(3, 9)
    frames = torch.tensor([9, 5, 2])
    for i, length in enumerate(frames.tolist()):
        f0[i, length:] = 0  # padding
    phase = phases(*uniforms.shape)
    together = sample(model, vectors, speaker, uniforms, f0=f0, phase=phase, num_frames=frames)
    for i, length in enumerate(frames.tolist()):
        one = slice(i, i + 1)
        samples = slice(0, length * HOP)
        alone = sample(
            model,
            vectors[one, :length],
            speaker[one],
            uniforms[one, samples],
            f0=f0[one, :length],
            phase=phase[one, samples],
        )
        assert torch.equal(together[one, : length * HOP], alone)


@torch.no_grad()
def test_f0_changes_the_logits() -> None:
    model, (vectors, speaker, f0, _) = wavenet("f0"), inputs(1, 6)
    bins = torch.randint(WAVENET.mulaw_bins, (1, 6 * HOP))
    assert not torch.allclose(model(bins, vectors, speaker, f0), model(bins, vectors, speaker, 2 * f0))
