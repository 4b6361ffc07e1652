"""Both CPU engines: equal to the parallel forward pass, to plain draws, and independent of the batch."""

import dataclasses
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import reference
from helpers.tiny import WAVENET, noise, speech_model
from speechvq.categorical import sample_categorical
from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling import numba_engine
from speechvq.speech.sampling.cached_step import CachedStep
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample, sample_chunks

HOP, DIM = 8, 4
Engine = Literal["numba", "torch"]
ENGINES: tuple[Engine, ...] = ("numba", "torch")


def wavenet(config: WaveNetConfig = WAVENET) -> WaveNet:
    torch.manual_seed(0)
    made = WaveNet(config, DIM, num_speakers=3)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def inputs(batch: int, frames: int) -> tuple[Tensor, Tensor, Tensor]:
    """Vectors, speakers and uniforms."""
    generator = torch.Generator().manual_seed(2)
    uniforms = torch.rand(batch, frames * HOP, generator=generator, dtype=torch.float64)
    return torch.randn(batch, frames, DIM, generator=generator), torch.arange(batch) % 3, uniforms


@torch.no_grad()
@pytest.mark.parametrize(
    "config", [WAVENET, dataclasses.replace(WAVENET, stacks=1, layers=5), WaveNetConfig(1, 7)]
)
def test_cached_steps_equal_the_parallel_forward(config: WaveNetConfig) -> None:
    """Teacher-forced, for longer than the receptive field, so that every cache wraps around."""
    model = wavenet(config)
    vectors, speaker, _ = inputs(2, 20)
    bins = torch.randint(config.mulaw_bins, (2, 20 * HOP), generator=torch.Generator().manual_seed(0))
    assert model.receptive_field < bins.shape[1]
    parallel = model(bins, vectors, speaker)
    biases = model.conditioning(vectors, speaker).chunk(len(model.layers), dim=1)
    step, before = CachedStep(model, 2), torch.full((2,), config.mulaw_bins // 2)
    for t in range(bins.shape[1]):
        logits = step(before, torch.stack([bias[..., t // HOP] for bias in biases]))
        assert (logits - parallel[:, t]).abs().max() < 1e-4, f"sample {t}"
        before = bins[:, t]


@torch.no_grad()
@pytest.mark.parametrize("engine", ENGINES)
def test_samples_equal_draws_from_the_parallel_forward(engine: Engine) -> None:
    model, (vectors, speaker, uniforms) = wavenet(), inputs(2, 6)
    bins = sample(model, vectors, speaker, uniforms, engine=engine)
    logits = model(bins, vectors, speaker)
    assert torch.equal(bins, sample_categorical(logits.flatten(0, 1), uniforms.flatten()).view_as(bins))
    assert len(bins.unique()) > 10


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stream_does_not_depend_on_its_batch(engine: Engine) -> None:
    model, (vectors, speaker, uniforms) = wavenet(), inputs(3, 5)
    frames = torch.tensor([5, 2, 1])
    together = sample(model, vectors, speaker, uniforms, num_frames=frames, engine=engine)
    for i, length in enumerate(frames.tolist()):
        randoms = uniforms[i : i + 1, : length * HOP]
        alone = sample(model, vectors[i : i + 1, :length], speaker[i : i + 1], randoms, engine=engine)
        assert torch.equal(together[i : i + 1, : length * HOP], alone)


@pytest.mark.parametrize("streams", [1, 3])
def test_the_length_of_kernel_calls_does_not_matter(streams: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when a call ends between two precomputations of the past taps."""
    model, (vectors, speaker, uniforms) = wavenet(WaveNetConfig(1, 6)), inputs(streams, 30)
    request = SynthesisRequest(vectors, speaker, 5)  # samples per frame, so that kernel calls end anywhere

    def sampled(piece: int, call: int = 10**6) -> Tensor:
        monkeypatch.setattr(numba_engine, "SAMPLES_PER_BLOCK", piece)
        monkeypatch.setattr(numba_engine, "SAMPLES_PER_CALL", call)
        randoms = uniforms[:, : 30 * 5]
        return torch.cat(
            list(sample_chunks(model, request, lambda a, b: randoms[:, a:b], engine="numba")), dim=1
        )

    whole = sampled(10_000)
    assert torch.equal(whole, sampled(5)) and torch.equal(whole, sampled(35))
    assert torch.equal(whole, sampled(10_000, 1)) and torch.equal(whole, sampled(35, 15 * streams))
    assert torch.equal(whole, sample(model, vectors, speaker, uniforms[:, : 30 * 5], engine="torch"))


@pytest.mark.parametrize("engine", ENGINES)
def test_on_frame_is_called_up_to_the_last_frame(engine: Engine) -> None:
    vectors, speaker, uniforms = inputs(2, 5)
    calls: list[int] = []
    sample(wavenet(), vectors, speaker, uniforms, on_frame=calls.append, engine=engine)
    assert calls == sorted(set(calls)) and calls[-1] == 5


@pytest.mark.parametrize("temperature, top_p", [(1.0, 1.0), (0.7, 0.9), (0.0, 1.0), (1.0, 0.0)])
def test_both_engines_sample_the_same_classes(temperature: float, top_p: float) -> None:
    model, (vectors, speaker, uniforms) = wavenet(), inputs(3, 6)
    one, other = (
        sample(model, vectors, speaker, uniforms, temperature=temperature, top_p=top_p, engine=engine)
        for engine in ENGINES
    )
    assert torch.equal(one, other)


@pytest.mark.parametrize("temperature", [1.0, 0.7, 2.0])
@pytest.mark.parametrize("top_p", [1.0, 0.9, 0.5, 0.01, 0.0])
def test_sampling_inverts_the_cumulative_distribution(temperature: float, top_p: float) -> None:
    rng = np.random.default_rng(0)
    logits, uniforms = 3 * rng.standard_normal((200, 17)), rng.random(200)
    uniforms[:3] = 0.0, 1 - 2**-53, 0.5
    drawn = sample_categorical(torch.from_numpy(logits), torch.from_numpy(uniforms), temperature, top_p)
    slow = [reference.sample_by_inversion(row, u, temperature, top_p) for row, u in zip(logits, uniforms)]
    assert drawn.tolist() == slow


def test_frequencies_of_draws_are_the_softmax() -> None:
    logits, count = torch.tensor([[0.5, -1.0, 2.0, 0.0]]), 4000
    uniforms = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    drawn = sample_categorical(logits.expand(count, -1), uniforms)
    frequencies = torch.bincount(drawn, minlength=4) / count
    assert torch.allclose(frequencies, torch.softmax(logits[0], -1), atol=1 / count)


def test_temperature_zero_takes_the_most_likely_class() -> None:
    logits = torch.randn(50, 9)
    assert torch.equal(sample_categorical(logits, torch.rand(50), temperature=0), logits.argmax(-1))


def test_top_p_keeps_the_fewest_classes_with_that_probability() -> None:
    probabilities = torch.tensor([[0.1, 0.4, 0.2, 0.3]])
    uniforms = torch.linspace(0, 1, 1001, dtype=torch.float64)[:-1]
    for top_p, kept in [(0.39, {1}), (0.41, {1, 3}), (0.71, {1, 2, 3}), (1.0, {0, 1, 2, 3})]:
        assert (
            set(sample_categorical(probabilities.log().expand(1000, -1), uniforms, top_p=top_p).tolist())
            == kept
        )


def test_the_seed_determines_the_samples() -> None:
    model = speech_model()
    codes = model.encode(noise(1, 400)[0].numpy())
    (one,), (same,), (other,) = (model.decode([codes], ["ada"], seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(one, same) and not np.array_equal(one, other)
    torch.manual_seed(99)
    assert np.array_equal(model.decode([codes], ["ada"], seed=3)[0], one), "the global generator is not used"


def test_the_speaker_changes_the_waveform_and_not_the_codes() -> None:
    model, wave = speech_model(), noise(1, 400)[0].numpy()
    codes = model.encode(wave)
    ada, bob = model.decode([codes, codes], ["ada", "bob"])
    assert not np.array_equal(ada, bob)
    assert np.array_equal(codes, model.encode(wave))


@pytest.mark.parametrize(
    "device, options, message",
    [
        ("meta", {"engine": "numba"}, "engine 'numba' runs on the CPU, and the model is on 'meta'"),
        ("meta", {"precision": "bf16"}, "precision 'bf16' is for the numba engine on the CPU"),
        ("cpu", {"engine": "torch", "precision": "bf16"}, "precision 'bf16' is for the numba engine"),
    ],
)
def test_combinations_that_no_engine_has_are_refused(
    device: str, options: dict[str, Any], message: str
) -> None:
    vectors, speaker, uniforms = (each.to(device) for each in inputs(1, 2))
    request = SynthesisRequest(vectors, speaker, HOP)
    with pytest.raises(ValueError, match=message):
        next(iter(sample_chunks(wavenet(), request, lambda a, b: uniforms[:, a:b], **options)))
