"""The numba kernels equal the parallel forward pass for any batch and number of cores; compilation cache."""

import dataclasses
import json
from typing import Any

import pytest
import torch
from torch import Tensor

from helpers.tiny import WAVENET, python
from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling import numba_engine
from speechvq.speech.sampling.numba_engine import Precision, teacher_forced_logits
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample

S = WaveNetConfig()
ODD = WaveNetConfig(
    stacks=2,
    layers=4,
    residual_channels=7,
    skip_channels=13,
    hidden_channels=9,
    conditioning_channels=5,
    speaker_dim=3,
    mulaw_bins=33,
)
CONDITIONED = dataclasses.replace(WAVENET, condition_on_f0=True, condition_on_phase=True)
F0_ONLY = dataclasses.replace(WAVENET, condition_on_f0=True)
DIM = 4


def wavenet(config: WaveNetConfig) -> WaveNet:
    torch.manual_seed(0)
    made = WaveNet(config, DIM, num_speakers=3)
    for parameter in made.parameters():
        parameter.data += 0.03 * torch.randn_like(parameter)
    return made.eval()


def request(config: WaveNetConfig, streams: int, frames: int, hop: int) -> SynthesisRequest:
    """Random code vectors, and an F0 contour that is often unvoiced."""
    generator = torch.Generator().manual_seed(streams)
    f0 = 60 + 300 * torch.rand(streams, frames, generator=generator)
    f0[torch.rand(streams, frames, generator=generator) < 0.4] = 0.0
    vectors = torch.randn(streams, frames, DIM, generator=generator)
    phase = torch.randint(NUM_PHASE_BINS + 1, (streams, frames * hop), generator=generator).byte()
    return SynthesisRequest(
        vectors, torch.arange(streams) % 3, hop, f0 if config.condition_on_f0 else None, phase=phase
    )


def both(
    config: WaveNetConfig, streams: int, samples: int, hop: int, precision: Precision
) -> tuple[Tensor, Tensor]:
    """Logits of the kernels and of the parallel forward pass, for the same samples."""
    model, batch = wavenet(config), request(config, streams, samples // hop, hop)
    walk = torch.randn(streams, samples, generator=torch.Generator().manual_seed(1)).cumsum(1)
    bins = ((0.5 + 0.5 * torch.sin(walk / 5)) * (config.mulaw_bins - 1)).round().long()
    with torch.no_grad():
        parallel = model(bins, batch.vectors, batch.speaker, batch.f0, batch.phase)
    return teacher_forced_logits(model, batch, bins, precision), parallel


@pytest.mark.parametrize(
    "config, streams, samples, hop",
    [
        (S, 1, 2_240, 64),  # longer than the receptive field, so that every cache wraps around
        (ODD, 1, 200, 8),
        (ODD, 13, 96, 8),
        (CONDITIONED, 1, 700, 20),
        (CONDITIONED, 5, 200, 20),
        (F0_ONLY, 2, 80, 16),
        (dataclasses.replace(WAVENET, mulaw_bins=2), 1, 40, 5),
        (WaveNetConfig(1, 1, 1, 1, 1, 1, 1, 2), 2, 12, 3),
    ],
)
def test_float32_equals_the_parallel_forward(
    config: WaveNetConfig, streams: int, samples: int, hop: int
) -> None:
    ours, parallel = both(config, streams, samples, hop, "fp32")
    assert ours.shape == parallel.shape and (ours - parallel).abs().max() < 1e-4
    assert parallel.std() > 0.01


@pytest.mark.parametrize("config, streams", [(S, 1), (CONDITIONED, 1), (CONDITIONED, 3)])
def test_bfloat16_gives_nearly_the_same_distribution(config: WaveNetConfig, streams: int) -> None:
    ours, parallel = both(config, streams, 320, 20, "bf16")
    exact = parallel.double().log_softmax(-1)
    nats = (exact.exp() * (exact - ours.double().log_softmax(-1))).sum(-1)
    assert 0 < nats.mean() < 1e-4
    assert (ours - parallel).abs().max() > 1e-4, "the precision differs"


@pytest.fixture(scope="module")
def streams_13() -> dict[str, Any]:
    """Thirteen streams of different lengths, sampled with the torch engine."""
    model, batch = wavenet(CONDITIONED), request(CONDITIONED, 13, 12, 8)
    frames = torch.tensor([12, 1, 7, 12, 3, 0, 11, 5, 2, 12, 9, 4, 6])
    uniforms = torch.rand(13, 96, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    inputs = {"f0": batch.f0, "num_frames": frames, "phase": batch.phase}
    expected = sample(model, batch.vectors, batch.speaker, uniforms, engine="torch", **inputs)
    return {"model": model, "batch": batch, "frames": frames, "uniforms": uniforms, "expected": expected}


def first(streams_13: dict[str, Any], count: int, **options: Any) -> Tensor:
    """The first `count` of them, sampled with the kernels."""
    batch = streams_13["batch"]
    return sample(
        streams_13["model"],
        batch.vectors[:count],
        batch.speaker[:count],
        streams_13["uniforms"][:count],
        f0=batch.f0[:count],
        phase=batch.phase[:count],
        num_frames=streams_13["frames"][:count],
        engine="numba",
        **options,
    )


@pytest.mark.parametrize("cores", [1, 2, 3])
@pytest.mark.parametrize("streams", [1, 2, 5, 7, 13])
def test_samples_do_not_depend_on_the_numbers_of_streams_and_cores(
    streams: int, cores: int, streams_13: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(numba_engine, "_cores", lambda: cores)
    monkeypatch.setattr(
        numba_engine, "SAMPLES_PER_BLOCK", 24
    )  # samples; streams end within a call and at its end
    sampled = first(streams_13, streams)
    assert torch.equal(sampled, streams_13["expected"][:streams])
    ended = torch.arange(96) >= 8 * streams_13["frames"][:streams, None]
    assert not sampled[ended].any()


@pytest.mark.parametrize("cores", [1, 3])
def test_bfloat16_does_not_depend_on_the_batch(
    cores: int, streams_13: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = first(streams_13, 1, precision="bf16")
    monkeypatch.setattr(numba_engine, "_cores", lambda: cores)
    for streams in (2, 13):
        assert torch.equal(first(streams_13, streams, precision="bf16")[:1], alone)


@pytest.mark.parametrize("cores", [1, 2, 3, 8])
def test_streams_are_balanced_over_cores_with_the_longest_first(cores: int) -> None:
    lengths = [5, 0, 9, 9, 1, 7, 3]
    groups = numba_engine.balance_streams(lengths, cores)
    assert sorted(number for group in groups for number in group) == list(range(7))
    assert len(groups) == min(cores, 7)
    for group in groups:
        group_lengths = [lengths[number] for number in group]
        assert group_lengths == sorted(group_lengths, reverse=True)
    work = [sum(lengths[number] for number in group) for group in groups]
    assert max(work) - min(work) <= max(lengths)


CACHED = """
import json, torch
from speechvq.speech.sampling import numba_engine
from speechvq.speech.sampling import kernels
from speechvq.speech.sampling import matmul_kernels
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.decoder.wavenet import WaveNet, WaveNetConfig
torch.set_num_threads(1)
config = WaveNetConfig(2, 3, 6, 8, 8, 8, 3, 32, condition_on_f0=True, condition_on_phase=True)
for streams in (1, 4):
    speaker = torch.zeros(streams, dtype=torch.long)
    request = SynthesisRequest(torch.zeros(streams, 3, 4), speaker, 8, torch.zeros(streams, 3))
    random_uniforms = lambda start, stop: torch.zeros(streams, stop - start, dtype=torch.float64)
    list(numba_engine.sample(WaveNet(config, 4, 1), request, random_uniforms, 1.0, 0.9, "fp32"))
functions = [*vars(kernels).values(), *vars(matmul_kernels).values()]
stats = [function.stats for function in functions if hasattr(function, "stats")]
print(json.dumps([sum(sum(getattr(s, k).values()) for s in stats) for k in ("cache_hits", "cache_misses")]))
"""


def test_a_second_process_does_not_compile_again() -> None:
    """All models and numbers of streams run the same compiled code."""
    numba_engine.warm_up_jit("fp32")  # compiled here or by an earlier process
    second = python("-c", CACHED)
    out, errors = second.communicate(timeout=300)
    assert second.returncode == 0, errors
    hits, misses = json.loads(out)
    assert hits > 0 and misses == 0
