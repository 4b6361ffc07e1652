"""The WaveNet in parallel form: causal, with the stated receptive field, and equal to loops over time."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers import reference
from helpers.tiny import WAVENET
from speechvq.config import WAVENET_SIZES, WaveNetConfig
from speechvq.speech.decoder.gated_stack import gated_stack
from speechvq.speech.decoder.wavenet import GatedLayer, WaveNet, smooth_embedding

HOP, DIM = 8, 4


def wavenet(config: WaveNetConfig = WAVENET, seed: int = 0) -> WaveNet:
    """A WaveNet in which every parameter is random, so that every part contributes."""
    torch.manual_seed(seed)
    made = WaveNet(config, DIM, num_speakers=3)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def inputs(batch: int = 1, frames: int = 6, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    bins = torch.randint(WAVENET.mulaw_bins, (batch, frames * HOP), generator=generator)
    return bins, torch.randn(batch, frames, DIM, generator=generator), torch.arange(batch) % 3


def dilations(config: WaveNetConfig) -> list[int]:
    return [2**layer for _ in range(config.stacks) for layer in range(config.layers)]


@torch.no_grad()
@pytest.mark.parametrize(
    "config",
    [WAVENET, dataclasses.replace(WAVENET, stacks=1, layers=1), dataclasses.replace(WAVENET, stacks=3)],
)
def test_forward_equals_loops_over_time(config: WaveNetConfig) -> None:
    model, (bins, vectors, speaker) = wavenet(config), inputs(batch=2)
    logits = model(bins, vectors, speaker)
    assert logits.shape == (2, bins.shape[1], config.mulaw_bins)
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    for i in range(2):
        slow = reference.wavenet(
            weights, bins[i].numpy(), vectors[i].numpy(), int(speaker[i]), dilations(config)
        )
        assert np.abs(logits[i].numpy() - slow).max() < 1e-4


@torch.no_grad()
def test_a_future_sample_changes_no_past_prediction() -> None:
    """A changed sample changes later logits only."""
    model, (bins, vectors, speaker) = wavenet(), inputs()
    before = model(bins, vectors, speaker)
    for t in range(bins.shape[1]):
        changed = bins.clone()
        changed[:, t] = (changed[:, t] + 11) % WAVENET.mulaw_bins
        after = model(changed, vectors, speaker)
        assert torch.equal(before[:, : t + 1], after[:, : t + 1])
        assert t + 1 == bins.shape[1] or not torch.equal(before[:, t + 1], after[:, t + 1])


@pytest.mark.parametrize("stacks, layers", [(1, 1), (1, 4), (2, 3), (3, 3)])
def test_the_receptive_field_equals_its_formula_and_its_measurement(stacks: int, layers: int) -> None:
    """In float64, the gradient of an output is nonzero for exactly as many samples as the formula says."""
    config = dataclasses.replace(WAVENET, stacks=stacks, layers=layers)
    model = wavenet(config).double()
    field = 1 + stacks * (2**layers - 1)
    assert model.receptive_field == field
    samples = field + 5
    x = torch.randn(1, config.residual_channels, samples, dtype=torch.double, requires_grad=True)
    condition = torch.randn(1, 2 * config.residual_channels, 1, dtype=torch.double)
    y, total = x, torch.zeros(())
    for layer in model.layers:
        y, skip = layer(y, condition)
        total = total + skip
    (gradient,) = torch.autograd.grad(total[..., -1].sum(), x)
    nonzero = gradient.abs().sum((0, 1)) > 0
    assert nonzero.tolist() == [t >= samples - field for t in range(samples)]


@torch.no_grad()
def test_a_sample_changes_no_logit_beyond_the_receptive_field() -> None:
    model = wavenet().double()
    field, (bins, vectors, speaker) = model.receptive_field, inputs()
    before = model(bins, vectors.double(), speaker)
    changed = bins.clone()
    changed[:, 3] = (changed[:, 3] + 16) % WAVENET.mulaw_bins
    moved = (model(changed, vectors.double(), speaker) != before).any(-1)[0]
    assert moved.nonzero().flatten().tolist() == list(range(4, 4 + field))


@torch.no_grad()
def test_codes_and_speaker_change_the_logits() -> None:
    model, (bins, vectors, speaker) = wavenet(), inputs()
    before = model(bins, vectors, speaker)
    assert (model(bins, vectors, speaker + 1) != before).any(-1).all()
    changed = vectors.clone()
    changed[:, 3] += 1
    moved = (model(bins, changed, speaker) != before).any(-1)[0]
    assert moved[3 * HOP : 4 * HOP].all(), "a code changes its own frame"
    assert not moved[: (3 - 2) * HOP].any(), "two convolutions of width 3 have a context of two frames"


@torch.no_grad()
def test_padding_frames_count_as_zeros() -> None:
    conditioning, (_, vectors, speaker) = wavenet().conditioning, inputs(batch=3)
    frames = torch.tensor([6, 4, 1])
    together = conditioning(vectors, speaker, num_frames=frames)
    for i, length in enumerate(frames.tolist()):
        alone = conditioning(vectors[i : i + 1, :length], speaker[i : i + 1])
        assert torch.allclose(together[i : i + 1, :, :length], alone, atol=1e-6)


@pytest.mark.parametrize("size, millions", [("S", 0.67), ("M", 3.57)])
def test_sizes_have_the_stated_multiply_adds(size: str, millions: float) -> None:
    """In layers and output, millions per sample."""
    with torch.device("meta"):
        model = WaveNet(WAVENET_SIZES[size], 64, 2)
    matrices = [m for layer in model.layers for m in (layer.gate, layer.out)]
    count = sum(m.numel() for m in [*matrices, model.hidden.weight, model.logits.weight])
    assert round(count / 1e6, 2) == millions


def test_one_sigmoid_computes_tanh_and_gate() -> None:
    layer = GatedLayer(1, residual_channels=2, skip_channels=1)
    x, condition = torch.randn(1, 2, 3), torch.randn(1, 4, 1)
    past = torch.cat([torch.zeros(1, 2, 1), x[..., :2]], dim=-1)
    a = layer.gate @ torch.cat([past, x], dim=1)
    gated = torch.tanh(a[:, :2] + condition[:, :2] / 2) * torch.sigmoid(a[:, 2:] + condition[:, 2:])
    expected = layer.out @ gated + layer.out_bias
    residual, skip = layer(x, condition)
    assert torch.allclose(residual, x + expected[:, :2], atol=1e-6)
    assert torch.allclose(skip, expected[:, 2:], atol=1e-6)


def test_the_smooth_embedding_is_smooth_and_has_unit_variance() -> None:
    torch.manual_seed(0)
    table = smooth_embedding(256, 512)
    assert float(table.square().mean()) == pytest.approx(1, abs=0.1)
    assert (table[1:] - table[:-1]).square().mean() < 0.01


def convolutions(
    x: Tensor, condition: Tensor, gates: Tensor, outs: Tensor, biases: Tensor, dilations: list[int]
) -> Tensor:
    """The stack by the formulas of the paper: dilated convolutions, tanh, sigmoid, sum of skip outputs."""
    width, total = x.shape[1], torch.zeros(())
    upsampled = condition.repeat_interleave(x.shape[-1] // condition.shape[-1], dim=-1).chunk(
        len(gates), dim=1
    )
    for gate, out, bias, dilation, local in zip(gates, outs, biases, dilations, upsampled):
        kernel = gate.unflatten(1, (2, width)).transpose(1, 2)
        a = torch.conv1d(torch.nn.functional.pad(x, (dilation, 0)), kernel, dilation=dilation)
        z = torch.tanh(a[:, :width] + local[:, :width] / 2) * torch.sigmoid(a[:, width:] + local[:, width:])
        both = torch.conv1d(z, out.unsqueeze(-1), bias[:, 0])
        x, total = x + both[:, :width], total + both[:, width:]
    return total.transpose(0, 1)


def stack_inputs(batch: int, frames: int, hop: int, dtype: torch.dtype) -> list[Tensor]:
    """Inputs of three layers with R = 3 and S = 2, large enough for the sigmoids to be nonlinear."""
    generator = torch.Generator().manual_seed(batch * frames)
    shapes = [(batch, 3, frames * hop), (batch, 3 * 6, frames), (3, 6, 6), (3, 5, 3), (3, 5, 1)]
    return [torch.randn(s, generator=generator, dtype=dtype).requires_grad_() for s in shapes]


@pytest.mark.parametrize("batch, frames, hop", [(1, 1, 1), (1, 5, 1), (2, 3, 4), (3, 1, 7)])
def test_the_stack_equals_convolutions_and_their_gradients(batch: int, frames: int, hop: int) -> None:
    """Also where a dilation is longer than the input."""
    given, dilations = stack_inputs(batch, frames, hop, torch.float64), [1, 2, 16]
    fast, slow = gated_stack(*given, dilations), convolutions(*given, dilations)
    assert fast.shape == slow.shape and torch.allclose(fast, slow, atol=1e-12)
    weights = torch.randn(slow.shape, dtype=torch.float64)
    for ours, theirs in zip(
        torch.autograd.grad(fast, given, weights), torch.autograd.grad(slow, given, weights)
    ):
        assert torch.allclose(ours, theirs, atol=1e-12)


def test_the_stack_is_exact_in_float32() -> None:
    given, dilations = stack_inputs(2, 20, 8, torch.float32), [1, 2, 4]
    exact = [tensor.detach().double().requires_grad_() for tensor in given]
    fast, slow = gated_stack(*given, dilations), convolutions(*exact, dilations)
    assert torch.allclose(fast.double(), slow, atol=1e-5)
    weights = torch.randn(slow.shape)
    gradients = torch.autograd.grad(fast, given, weights), torch.autograd.grad(slow, exact, weights.double())
    for ours, theirs in zip(*gradients):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()


def test_the_stack_in_bfloat16_errs_no_more_than_its_inputs() -> None:
    """Rounding inside costs no more than rounding of the weights, also over 20 layers."""
    layers, generator = 20, torch.Generator().manual_seed(0)
    shapes = [(2, 8, 64), (2, layers * 16, 8), (layers, 16, 16), (layers, 20, 8), (layers, 20, 1)]
    exact = [0.3 * torch.randn(s, generator=generator, dtype=torch.float64) for s in shapes]
    weights = torch.randn(12, 2, 64, generator=generator, dtype=torch.float64)
    given = {
        "exact": exact,
        "rounded": [each.bfloat16().double() for each in exact],
        "bfloat16": [exact[0].float(), *(each.bfloat16() for each in exact[1:])],
    }
    results = {}
    for name, tensors in given.items():
        inputs = [each.requires_grad_() for each in tensors]
        output = gated_stack(*inputs, [1, 2, 4, 8, 16] * 4)
        results[name] = [output, *torch.autograd.grad(output, inputs, weights.to(output.dtype))]
    for true, rounded, ours in zip(*results.values()):
        inherent, found = ((each.double() - true).norm() / true.norm() for each in (rounded, ours))
        assert found < 2 * inherent


def test_the_stack_saves_tensors_only_for_gradients() -> None:
    given = stack_inputs(1, 2, 3, torch.float32)
    with torch.no_grad():
        without_gradients = gated_stack(*given, [1, 2, 4])
    output = gated_stack(*given, [1, 2, 4])
    assert without_gradients.grad_fn is None and torch.equal(without_gradients, output)
    first, second = (torch.autograd.grad(output.sum(), given, retain_graph=True) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second)), "the saved tensors are not overwritten"


def test_autocast_computes_in_bfloat16_with_similar_logits() -> None:
    model, (bins, vectors, speaker) = wavenet(), inputs(batch=2)
    exact = model(bins, vectors, speaker)
    with torch.autocast("cpu", torch.bfloat16):
        rounded = model(bins, vectors, speaker)
    assert rounded.dtype == torch.bfloat16
    assert 0 < (rounded - exact).abs().max() < 0.05 * exact.abs().max()


def test_successive_layers_give_the_same_logits_and_gradients() -> None:
    """`GatedLayer` is the formula of the paper; training runs the stack."""
    model, (bins, vectors, speaker) = wavenet(), inputs(batch=2)
    x = model.embedding[torch.nn.functional.pad(bins, (1, -1), value=WAVENET.mulaw_bins // 2)].transpose(1, 2)
    total = torch.zeros(())
    for layer, condition in zip(
        model.layers, model.conditioning(vectors, speaker).chunk(len(model.layers), dim=1)
    ):
        x, skip = layer(x, condition)
        total = total + skip / len(model.layers) ** 0.5
    plain = model.logits(torch.relu(model.hidden(torch.relu(total).transpose(1, 2))))
    fast = model(bins, vectors, speaker)
    assert torch.allclose(fast, plain, atol=1e-5)
    weights, parameters = torch.randn(plain.shape), list(model.parameters())
    gradients = (torch.autograd.grad((y * weights).sum(), parameters) for y in (fast, plain))
    for ours, theirs in zip(*gradients):
        assert (ours - theirs).abs().max() <= 1e-5 * theirs.abs().max()
