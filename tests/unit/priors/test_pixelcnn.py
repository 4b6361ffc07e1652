"""The PixelCNN is causal without a blind spot, and cached sampling equals naive sampling."""

import itertools
import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.priors.grid.pixelcnn import Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids

GRIDS = {"plain": Grid(5, 4, 1, 6), "several": Grid(3, 3, 3, 5)}


def model_of(grid: Grid, *, layers: int = 5, radius: int = 1, condition: int = 0, seed: int = 0) -> PixelCNN:
    """A model with random weights, large enough that every input has an effect."""
    torch.manual_seed(seed)
    model = PixelCNN(
        PixelCNNConfig(layers=layers, channels=8, kernel_radius=radius, hidden_channels=12), grid, condition
    )
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1.7)
    return model.double().eval()


def codes_of(grid: Grid, batch: int = 1, seed: int = 0) -> Tensor:
    shape = (batch, grid.height, grid.width, grid.codes_per_position)
    return torch.randint(grid.num_codes, shape, generator=torch.Generator().manual_seed(seed))


def flat(logits: Tensor) -> Tensor:
    """(1, H, W, G, K) to (codes in order, K)."""
    return logits[0].flatten(0, 2)


@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_a_code_affects_all_later_predictions_and_no_earlier_one(name: str) -> None:
    """Causal, and without a blind spot if there are enough layers."""
    grid = GRIDS[name]
    model, codes = model_of(grid, layers=8), codes_of(grid)
    before = flat(model(codes))
    for place in range(codes.numel()):
        changed = codes.clone().flatten()
        changed[place] = (changed[place] + 1) % grid.num_codes
        moved = (flat(model(changed.view_as(codes))) - before).abs().amax(1)
        assert (moved[: place + 1] == 0).all(), f"code {place} affects an earlier prediction"
        assert (moved[place + 1 :] > 0).all(), f"code {place} does not affect {moved[place + 1 :].argmin()}"


@pytest.mark.parametrize("radius", [1, 2])
def test_the_gradient_of_one_layer_covers_its_kernels(radius: int) -> None:
    """The center position depends on the rows above within the kernel and on the row to its left."""
    grid = Grid(7, 7, 1, 4)
    model, seen = model_of(grid, layers=1, radius=radius), []
    model.code_embedding.register_forward_hook(
        lambda _, __, output: seen.append(output) or output.retain_grad()
    )
    model(codes_of(grid))[0, 3, 3].square().sum().backward()
    touched = seen[0].grad[0, :, :, 0].abs().sum(-1) > 0
    expected = torch.zeros(7, 7, dtype=torch.bool)
    for row, column in itertools.product(range(7), range(7)):
        above = 1 <= 3 - row <= radius + 1 and abs(column - 3) <= radius
        left = row == 3 and 1 <= 3 - column <= radius + 1
        expected[row, column] = above or left
    assert torch.equal(touched, expected)


@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_cached_sampling_equals_naive_sampling(name: str, condition: int) -> None:
    grid = GRIDS[name]
    model = model_of(grid, layers=3, radius=2, condition=condition)
    condition = torch.randn(2, condition, dtype=torch.float64) if condition else None
    uniforms = torch.rand(2, grid.height, grid.width, grid.codes_per_position, dtype=torch.float64)
    assert torch.equal(sample_grids(model, uniforms, condition), naive(model, uniforms, condition))


@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_a_condition_may_differ_between_positions(name: str) -> None:
    """A constant map equals a vector; the sampler uses each position's own condition."""
    grid = GRIDS[name]
    model, codes = model_of(grid, layers=3, radius=2, condition=3), codes_of(grid, batch=2)
    condition = torch.randn(2, 3, dtype=torch.float64)
    everywhere = condition[:, None, None].expand(-1, grid.height, grid.width, -1)
    assert torch.allclose(model(codes, everywhere), model(codes, condition), atol=1e-12)
    own = torch.randn(2, grid.height, grid.width, 3, dtype=torch.float64)
    uniforms = torch.rand(2, grid.height, grid.width, grid.codes_per_position, dtype=torch.float64)
    assert torch.equal(sample_grids(model, uniforms, own), naive(model, uniforms, own))


def naive(
    model: PixelCNN, uniforms: Tensor, condition: Tensor | None, prior_logits: Tensor | None = None
) -> Tensor:
    """Sample by running the whole network again for every code."""
    codes = torch.zeros_like(uniforms, dtype=torch.long)
    for i, j, g in itertools.product(*map(range, uniforms.shape[1:])):
        logits = model(codes, condition, prior_logits)[:, i, j, g]
        codes[:, i, j, g] = sample_categorical(logits, uniforms[:, i, j, g])
    return codes


@torch.no_grad()
def test_a_sampled_grid_does_not_depend_on_its_batch() -> None:
    grid = GRIDS["plain"]
    model, uniforms = model_of(grid), torch.rand(3, grid.height, grid.width, 1, dtype=torch.float64)
    rows: list[int] = []
    together = sample_grids(model, uniforms, on_step=rows.append)
    assert rows == [1, 2, 3, 4, 5]
    assert torch.equal(together[1:2], sample_grids(model, uniforms[1:2]))


@torch.no_grad()
def test_the_probabilities_of_all_grids_sum_to_one() -> None:
    grid = Grid(2, 2, 2, 2)
    every = torch.tensor(list(itertools.product(range(2), repeat=8))).view(-1, 2, 2, 2)
    assert float((-model_of(grid).nll(every)).exp().sum()) == pytest.approx(1.0, rel=1e-6)


@torch.no_grad()
def test_nll_equals_the_log_softmax_of_the_logits() -> None:
    grid = GRIDS["several"]
    model, codes = model_of(grid), codes_of(grid, batch=2)
    log_probabilities = F.log_softmax(model(codes), -1)
    expected = [
        -sum(
            float(log_probabilities[b, i, j, g, codes[b, i, j, g]])
            for i, j, g in itertools.product(range(3), repeat=3)
        )
        for b in range(2)
    ]
    assert model.nll(codes).tolist() == pytest.approx(expected, rel=1e-5)


@torch.no_grad()
def test_a_head_of_zeros_is_uniform() -> None:
    grid = GRIDS["several"]
    model = model_of(grid)
    model.head.weight.zero_()
    model.head.bias.zero_()
    assert model.nll(codes_of(grid)).tolist() == pytest.approx([27 * math.log(5)], rel=1e-6)


def test_a_condition_affects_every_code() -> None:
    grid = GRIDS["plain"]
    model, codes = model_of(grid, condition=3), codes_of(grid)
    with torch.no_grad():
        one, other = (flat(model(codes, torch.full((1, 3), value).double())) for value in (0.0, 1.0))
    assert ((one - other).abs().amax(1) > 0).all()


@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_prior_logits_are_weighted_by_their_gate(name: str) -> None:
    """The gate depends on the context; the weighted logits are added to their own code alone."""
    grid = GRIDS[name]
    torch.manual_seed(0)
    config = PixelCNNConfig(layers=3, channels=8, kernel_radius=1, hidden_channels=12)
    model = PixelCNN(config, grid, use_prior_logits=True).double().eval()
    codes, prior_gate = codes_of(grid), model.head.prior_gate
    assert prior_gate is not None
    contexts: list[Tensor] = []
    prior_gate.register_forward_hook(lambda _, given, __: contexts.append(given[0]))
    prior_logits = torch.randn(
        1, grid.height, grid.width, grid.codes_per_position, grid.num_codes, dtype=torch.float64
    )
    without, weighted = (
        model(codes, prior_logits=torch.zeros_like(prior_logits)),
        model(codes, prior_logits=prior_logits),
    )
    weights = (contexts[0] @ prior_gate.weight.t() + prior_gate.bias).exp().log1p()
    torch.testing.assert_close(weighted, without + weights.unsqueeze(-1) * prior_logits)
    uniforms = torch.rand(2, grid.height, grid.width, grid.codes_per_position, dtype=torch.float64)
    strong = 50 * prior_logits.expand(2, -1, -1, -1, -1)
    drawn = sample_grids(model, uniforms, prior_logits=strong)
    assert torch.equal(drawn, naive(model, uniforms, None, strong))
    assert not torch.equal(drawn, sample_grids(model, uniforms, prior_logits=-strong))
