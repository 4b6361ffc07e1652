"""Packed weights: every matrix of the decoder with its factors, in panels; sizes that bfloat16 refuses."""

import dataclasses

import numpy as np
import pytest
import torch

from helpers.weight_panels import half_step, unpack_panels
from speechvq.config import WaveNetConfig
from speechvq.errors import UserError
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.kernels import Weights
from speechvq.speech.sampling.matmul_kernels import NARROW, WIDE
from speechvq.speech.sampling.weight_packing import pack

CONFIG = WaveNetConfig(
    stacks=2,
    layers=2,
    residual_channels=6,
    skip_channels=8,
    hidden_channels=10,
    conditioning_channels=8,
    speaker_dim=3,
    mulaw_bins=32,
)
LN2 = float(np.log(2))


def wavenet(config: WaveNetConfig = CONFIG) -> WaveNet:
    torch.manual_seed(0)
    made = WaveNet(config, 4, num_speakers=2)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made


def matrices(model: WaveNet) -> dict[str, np.ndarray]:
    """The expected matrices of the kernels, one per layer: (layers, I, O), float64."""
    residual, layers = model.config.residual_channels, model.layers
    exponent = np.repeat([-2 / LN2, -1 / LN2], residual)  # tanh and sigmoid as powers of two
    scale = np.concatenate([np.ones(residual), np.full(model.config.skip_channels, len(layers) ** -0.5)])
    gates = np.stack([(exponent[:, None] * layer.gate.detach().double().numpy()).T for layer in layers])
    return {
        "past_tap": gates[:, :residual],
        "current_tap": gates[:, residual:],
        "out": np.stack([(scale[:, None] * layer.out.detach().double().numpy()).T for layer in layers]),
        "hidden": model.hidden.weight.detach().double().numpy().T[None],
        "last": model.logits.weight.detach().double().numpy().T[None],
    }


def used(weights: Weights, name: str, like: np.ndarray) -> np.ndarray:
    """The matrices in panels, unpacked: (layers, I, O)."""
    parts = np.split(getattr(weights, name), len(like))
    return np.stack([unpack_panels(part, like.shape[1:], weights.width) for part in parts])


@pytest.mark.parametrize("streams", [1, 2, 13])
def test_every_matrix_is_packed_with_its_factor(streams: int) -> None:
    model = wavenet()
    weights = pack(model, streams)
    assert weights.width == (WIDE if streams == 1 else NARROW) and weights.inputs_per_row == 1
    for name, exact in matrices(model).items():
        assert np.allclose(used(weights, name, exact), exact, rtol=1e-6), name
    scale = np.concatenate([np.ones(6), np.full(8, 0.5)])
    biases = np.stack([layer.out_bias.detach().numpy()[:, 0] for layer in model.layers])
    assert np.allclose(weights.out_bias, scale * biases)
    assert weights.dilations.tolist() == [1, 2, 1, 2]


@pytest.mark.parametrize("streams", [1, 3])
def test_bfloat16_is_within_half_a_step(streams: int) -> None:
    model = wavenet()
    weights = pack(model, streams, "bf16")
    assert weights.inputs_per_row == 2
    for name, exact in matrices(model).items():
        packed = used(weights, name, exact)
        steps = np.maximum(half_step(exact), half_step(packed))
        assert (np.abs(packed - exact) <= 1.0001 * steps).all(), name  # the factors are float32


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_one_stream_has_its_past_taps_twice(precision: str) -> None:
    """In wide panels, and in narrow ones for the lookahead, which several streams do not use."""
    model = wavenet()
    weights, exact = pack(model, 1, precision), matrices(model)["past_tap"]  # type: ignore[arg-type]
    parts = np.split(weights.precomputed_past, len(exact))
    again = np.stack([unpack_panels(part, exact.shape[1:], NARROW) for part in parts])
    assert np.array_equal(again, used(weights, "past_tap", exact))
    several = pack(model, 2, precision)  # type: ignore[arg-type]
    assert (
        several.precomputed_past.shape == (0,)
        and several.precomputed_past.dtype == weights.precomputed_past.dtype
    )


def test_phase_embeddings_are_copied_or_zero() -> None:
    model = wavenet(dataclasses.replace(CONFIG, condition_on_f0=True, condition_on_phase=True))
    assert model.phase_embedding is not None
    assert np.array_equal(pack(model, 1).phase_embedding, model.phase_embedding.detach().numpy())
    assert (
        pack(wavenet(), 1).phase_embedding.shape == (1, CONFIG.residual_channels)
        and not pack(wavenet(), 1).phase_embedding.any()
    )


def test_types_do_not_depend_on_precision_or_decoder() -> None:
    """Another type would be compiled again, for seconds."""
    conditioned = wavenet(dataclasses.replace(CONFIG, condition_on_f0=True, condition_on_phase=True))
    for precision, words in (("fp32", np.float32), ("bf16", np.uint32)):
        for model, streams in ((wavenet(), 1), (wavenet(), 5), (conditioned, 2)):
            weights = pack(model, streams, precision)  # type: ignore[arg-type]
            for name, value in weights._asdict().items():
                if isinstance(value, np.ndarray):
                    panel = name in ("past_tap", "precomputed_past", "current_tap", "out", "hidden", "last")
                    expected = words if panel else np.int64 if name == "dilations" else np.float32
                    assert value.dtype == expected and value.flags.c_contiguous, name
                else:
                    assert type(value) is int, name


@pytest.mark.parametrize("part", ["residual_channels", "skip_channels", "hidden_channels"])
def test_odd_sizes_are_refused_in_bfloat16(part: str) -> None:
    model = wavenet(dataclasses.replace(CONFIG, **{part: 7}))
    pack(model, 1)
    with pytest.raises(
        UserError,
        match="bf16 needs even wavenet.residual_channels, wavenet.skip_channels and "
        "wavenet.hidden_channels; use fp32",
    ):
        pack(model, 1, "bf16")
