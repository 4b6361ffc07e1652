"""The parallel decoder: causal, of the stated reach, and equal to loops over time."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor

import reference
from speechvq.config import WAVENET_SIZES, WaveNetConfig
from speechvq.speech.wavenet import GatedLayer, WaveNet, smooth_table
from tiny import WAVENET

HOP, DIM = 8, 4


def wavenet(config: WaveNetConfig = WAVENET, seed: int = 0) -> WaveNet:
    """Random weights everywhere, so that no part is silent."""
    torch.manual_seed(seed)
    made = WaveNet(config, DIM, speakers=3)
    for parameter in made.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return made.eval()


def inputs(batch: int = 1, frames: int = 6, seed: int = 1) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    levels = torch.randint(WAVENET.levels, (batch, frames * HOP), generator=generator)
    return levels, torch.randn(batch, frames, DIM, generator=generator), torch.arange(batch) % 3


def dilations(config: WaveNetConfig) -> list[int]:
    return [2**layer for _ in range(config.stacks) for layer in range(config.layers)]


@torch.no_grad()
@pytest.mark.parametrize(
    "config",
    [WAVENET, dataclasses.replace(WAVENET, stacks=1, layers=1), dataclasses.replace(WAVENET, stacks=3)],
)
def test_forward_equals_loops_over_time(config: WaveNetConfig) -> None:
    model, (levels, vectors, speaker) = wavenet(config), inputs(batch=2)
    logits = model(levels, vectors, speaker)
    assert logits.shape == (2, levels.shape[1], config.levels)
    weights = {name: tensor.double().numpy() for name, tensor in model.state_dict().items()}
    for i in range(2):
        slow = reference.wavenet(
            weights, levels[i].numpy(), vectors[i].numpy(), int(speaker[i]), dilations(config)
        )
        assert np.abs(logits[i].numpy() - slow).max() < 1e-4


@torch.no_grad()
def test_a_future_sample_changes_no_past_prediction() -> None:
    """Every prefix of a changed sound gives the logits of the same prefix before."""
    model, (levels, vectors, speaker) = wavenet(), inputs()
    before = model(levels, vectors, speaker)
    for t in range(levels.shape[1]):
        changed = levels.clone()
        changed[:, t] = (changed[:, t] + 11) % WAVENET.levels
        after = model(changed, vectors, speaker)
        assert torch.equal(before[:, : t + 1], after[:, : t + 1])
        assert t + 1 == levels.shape[1] or not torch.equal(before[:, t + 1], after[:, t + 1])


@pytest.mark.parametrize("stacks, layers", [(1, 1), (1, 4), (2, 3), (3, 3)])
def test_the_receptive_field_is_its_formula_and_its_measure(stacks: int, layers: int) -> None:
    """The gradient of a logit reaches back exactly as many samples as the formula says, in double
    precision."""
    config = dataclasses.replace(WAVENET, stacks=stacks, layers=layers)
    model = wavenet(config).double()
    field = 1 + stacks * (2**layers - 1)
    assert model.receptive_field == field
    samples = field + 5
    x = torch.randn(1, config.residual, samples, dtype=torch.double, requires_grad=True)
    condition = torch.randn(1, 2 * config.residual, 1, dtype=torch.double)
    y, total = x, torch.zeros(())
    for layer in model.layers:
        y, skip = layer(y, condition)
        total = total + skip
    (gradient,) = torch.autograd.grad(total[..., -1].sum(), x)
    reached = gradient.abs().sum((0, 1)) > 0
    assert reached.tolist() == [t >= samples - field for t in range(samples)]


@torch.no_grad()
def test_influence_through_the_whole_network_ends_with_the_receptive_field() -> None:
    model = wavenet().double()
    field, (levels, vectors, speaker) = model.receptive_field, inputs()
    before = model(levels, vectors.double(), speaker)
    changed = levels.clone()
    changed[:, 3] = (changed[:, 3] + 16) % WAVENET.levels
    moved = (model(changed, vectors.double(), speaker) != before).any(-1)[0]
    assert moved.nonzero().flatten().tolist() == list(range(4, 4 + field))


@torch.no_grad()
def test_codes_and_speaker_are_heard() -> None:
    model, (levels, vectors, speaker) = wavenet(), inputs()
    before = model(levels, vectors, speaker)
    assert (model(levels, vectors, speaker + 1) != before).any(-1).all()
    changed = vectors.clone()
    changed[:, 3] += 1
    moved = (model(levels, changed, speaker) != before).any(-1)[0]
    assert moved[3 * HOP : 4 * HOP].all(), "a code is heard in its own frame"
    assert not moved[: (3 - 2) * HOP].any(), "two convolutions of width 3 look two frames ahead"


@torch.no_grad()
def test_frames_beyond_a_string_count_as_its_edge() -> None:
    conditioning, (_, vectors, speaker) = wavenet().conditioning, inputs(batch=3)
    frames = torch.tensor([6, 4, 1])
    together = conditioning(conditioning.features(vectors, speaker, frames=frames))
    for i, own in enumerate(frames.tolist()):
        alone = conditioning(conditioning.features(vectors[i : i + 1, :own], speaker[i : i + 1]))
        assert torch.allclose(together[i : i + 1, :, :own], alone, atol=1e-6)


@pytest.mark.parametrize("size, millions", [("S", 0.67), ("M", 3.57)])
def test_sizes_have_the_stated_multiply_adds(size: str, millions: float) -> None:
    """Of layers and output, a sample."""
    with torch.device("meta"):
        model = WaveNet(WAVENET_SIZES[size], 64, 2)
    matrices = [m for layer in model.layers for m in (layer.gate, layer.out)]
    count = sum(m.numel() for m in [*matrices, model.hidden.weight, model.logits.weight])
    assert round(count / 1e6, 2) == millions


def test_one_sigmoid_does_for_tanh_too() -> None:
    layer = GatedLayer(1, residual=2, skip=1)
    x, condition = torch.randn(1, 2, 3), torch.randn(1, 4, 1)
    past = torch.cat([torch.zeros(1, 2, 1), x[..., :2]], dim=-1)
    a = layer.gate @ torch.cat([past, x], dim=1)
    gated = torch.tanh(a[:, :2] + condition[:, :2] / 2) * torch.sigmoid(a[:, 2:] + condition[:, 2:])
    expected = layer.out @ gated + layer.out_bias
    residual, skip = layer(x, condition)
    assert torch.allclose(residual, x + expected[:, :2], atol=1e-6)
    assert torch.allclose(skip, expected[:, 2:], atol=1e-6)


def test_the_smooth_table_is_smooth_and_of_unit_variance() -> None:
    torch.manual_seed(0)
    table = smooth_table(256, 512)
    assert float(table.square().mean()) == pytest.approx(1, abs=0.1)
    assert (table[1:] - table[:-1]).square().mean() < 0.01
