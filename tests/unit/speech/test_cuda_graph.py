"""Sampling on a GPU: the in-place step equals the plain one; the CUDA graph is tested if there is a GPU."""

import pytest
import torch
from torch import Tensor

from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.cuda_graph import FrameStep, sample_on_gpu
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample

HOP = 8
PLAIN = WaveNetConfig(
    stacks=2,
    layers=3,
    residual_channels=6,
    skip_channels=8,
    hidden_channels=8,
    conditioning_channels=8,
    speaker_dim=3,
    mulaw_bins=32,
)
CONDITIONED = WaveNetConfig(2, 3, 6, 8, 8, 8, 3, 32, condition_on_f0=True, condition_on_phase=True)


def case(config: WaveNetConfig, device: str = "cpu") -> tuple[WaveNet, SynthesisRequest, Tensor]:
    """A decoder with random weights, three streams of 6, 4 and 6 frames, and their uniforms."""
    torch.manual_seed(0)
    wavenet = WaveNet(config, 4, num_speakers=3)
    for parameter in wavenet.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    vectors, speaker = torch.randn(3, 6, 4), torch.arange(3)
    f0 = (
        torch.tensor([[0.0, 200.0, 210.0, 0.0, 0.0, 150.0]]).expand(3, -1) if config.condition_on_f0 else None
    )
    uniforms = torch.rand(3, 6 * HOP, dtype=torch.float64)
    phase = torch.randint(NUM_PHASE_BINS + 1, uniforms.shape).byte()
    parts = (vectors, speaker, f0, torch.tensor([6, 4, 6]), phase, uniforms)
    vectors, speaker, f0, frames, phase, uniforms = (None if p is None else p.to(device) for p in parts)
    return wavenet.eval().to(device), SynthesisRequest(vectors, speaker, HOP, f0, frames, phase), uniforms


def plain(wavenet: WaveNet, request: SynthesisRequest, uniforms: Tensor) -> Tensor:
    conditions = {"f0": request.f0, "num_frames": request.num_frames, "phase": request.phase}
    return sample(wavenet, request.vectors, request.speaker, uniforms, **conditions, engine="torch")


@torch.no_grad()
@pytest.mark.parametrize("config", [PLAIN, CONDITIONED])
def test_the_in_place_step_equals_the_plain_one(config: WaveNetConfig) -> None:
    wavenet, request, uniforms = case(config)
    step, frames = FrameStep(wavenet, request, 1.0, 1.0), []
    for frame in range(6):
        step.load(
            request.conditioning(wavenet, frame, frame + 1), uniforms[:, frame * HOP : (frame + 1) * HOP]
        )
        places = [tensor.data_ptr() for tensor in step.state()]
        for _ in range(HOP):
            step.step_sample()
        assert [tensor.data_ptr() for tensor in step.state()] == places, "a graph needs fixed addresses"
        frames.append(step.bins.clone())
    bins, expected = torch.cat(frames, dim=1), plain(wavenet, request, uniforms)
    assert torch.equal(bins[[0, 2]], expected[[0, 2]])
    assert torch.equal(bins[1, : 4 * HOP], expected[1, : 4 * HOP])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("config", [PLAIN, CONDITIONED])
def test_the_graph_samples_like_the_plain_step(config: WaveNetConfig) -> None:
    wavenet, request, uniforms = case(config, "cuda")
    bins = torch.cat(
        list(sample_on_gpu(wavenet, request, lambda start, stop: uniforms[:, start:stop], 1.0, 1.0)), dim=1
    )
    assert (bins == plain(wavenet, request, uniforms)).float().mean() > 0.99  # rounding decides some ties
