"""The PixelCNN: nothing later is seen, nothing earlier is missed, the cached sampler is the naive one."""

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


def model_of(grid: Grid, *, layers: int = 5, reach: int = 1, condition: int = 0, seed: int = 0) -> PixelCNN:
    """Random weights, large enough that everything that is seen makes a difference."""
    torch.manual_seed(seed)
    model = PixelCNN(
        PixelCNNConfig(layers=layers, channels=8, kernel_radius=reach, hidden_channels=12), grid, condition
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
def test_a_code_changes_no_earlier_prediction_and_every_later_one(name: str) -> None:
    """No look ahead, and no blind spot: with layers enough, all that comes before is seen."""
    grid = GRIDS[name]
    model, codes = model_of(grid, layers=8), codes_of(grid)
    before = flat(model(codes))
    for place in range(codes.numel()):
        changed = codes.clone().flatten()
        changed[place] = (changed[place] + 1) % grid.num_codes
        moved = (flat(model(changed.view_as(codes))) - before).abs().amax(1)
        assert (moved[: place + 1] == 0).all(), f"code {place} is seen too early"
        assert (moved[place + 1 :] > 0).all(), f"code {place} is not seen by {moved[place + 1 :].argmin()}"


@pytest.mark.parametrize("reach", [1, 2])
def test_the_gradient_reaches_what_one_layer_may_see(reach: int) -> None:
    """Of a grid's middle: rows above within reach, and the row so far; by the vectors of the codes read."""
    grid = Grid(7, 7, 1, 4)
    model, seen = model_of(grid, layers=1, reach=reach), []
    model.code_embedding.register_forward_hook(
        lambda _, __, output: seen.append(output) or output.retain_grad()
    )
    model(codes_of(grid))[0, 3, 3].square().sum().backward()
    touched = seen[0].grad[0, :, :, 0].abs().sum(-1) > 0
    wanted = torch.zeros(7, 7, dtype=torch.bool)
    for row, column in itertools.product(range(7), range(7)):
        above = 1 <= 3 - row <= reach + 1 and abs(column - 3) <= reach
        left = row == 3 and 1 <= 3 - column <= reach + 1
        wanted[row, column] = above or left
    assert torch.equal(touched, wanted)


@pytest.mark.parametrize("condition", [0, 3])
@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_cached_sampling_is_the_naive_one(name: str, condition: int) -> None:
    grid = GRIDS[name]
    model = model_of(grid, layers=3, reach=2, condition=condition)
    told = torch.randn(2, condition, dtype=torch.float64) if condition else None
    uniforms = torch.rand(2, grid.height, grid.width, grid.codes_per_position, dtype=torch.float64)
    assert torch.equal(sample_grids(model, uniforms, told), naive(model, uniforms, told))


@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_every_position_may_be_told_something_of_its_own(name: str) -> None:
    """A map that is the same everywhere is a vector; the sampler tells each row and place its own part."""
    grid = GRIDS[name]
    model, codes = model_of(grid, layers=3, reach=2, condition=3), codes_of(grid, batch=2)
    told = torch.randn(2, 3, dtype=torch.float64)
    everywhere = told[:, None, None].expand(-1, grid.height, grid.width, -1)
    assert torch.allclose(model(codes, everywhere), model(codes, told), atol=1e-12)
    own = torch.randn(2, grid.height, grid.width, 3, dtype=torch.float64)
    uniforms = torch.rand(2, grid.height, grid.width, grid.codes_per_position, dtype=torch.float64)
    assert torch.equal(sample_grids(model, uniforms, own), naive(model, uniforms, own))


def naive(model: PixelCNN, uniforms: Tensor, condition: Tensor | None, guess: Tensor | None = None) -> Tensor:
    """The whole grid is computed again for every code."""
    codes = torch.zeros_like(uniforms, dtype=torch.long)
    for i, j, g in itertools.product(*map(range, uniforms.shape[1:])):
        logits = model(codes, condition, guess)[:, i, j, g]
        codes[:, i, j, g] = sample_categorical(logits, uniforms[:, i, j, g])
    return codes


@torch.no_grad()
def test_a_grid_does_not_depend_on_its_company() -> None:
    grid = GRIDS["plain"]
    model, uniforms = model_of(grid), torch.rand(3, grid.height, grid.width, 1, dtype=torch.float64)
    rows: list[int] = []
    together = sample_grids(model, uniforms, on_row=rows.append)
    assert rows == [1, 2, 3, 4, 5]
    assert torch.equal(together[1:2], sample_grids(model, uniforms[1:2]))


@torch.no_grad()
def test_the_probabilities_of_all_grids_sum_to_one() -> None:
    grid = Grid(2, 2, 2, 2)
    every = torch.tensor(list(itertools.product(range(2), repeat=8))).view(-1, 2, 2, 2)
    assert float((-model_of(grid).nll(every)).exp().sum()) == pytest.approx(1.0, rel=1e-6)


@torch.no_grad()
def test_nats_are_those_of_the_logits() -> None:
    grid = GRIDS["several"]
    model, codes = model_of(grid), codes_of(grid, batch=2)
    shares = F.log_softmax(model(codes), -1)
    wanted = [
        -sum(
            float(shares[b, i, j, g, codes[b, i, j, g]]) for i, j, g in itertools.product(range(3), repeat=3)
        )
        for b in range(2)
    ]
    assert model.nll(codes).tolist() == pytest.approx(wanted, rel=1e-5)


@torch.no_grad()
def test_an_untrained_head_of_zeros_is_uniform() -> None:
    grid = GRIDS["several"]
    model = model_of(grid)
    model.head.weight.zero_()
    model.head.bias.zero_()
    assert model.nll(codes_of(grid)).tolist() == pytest.approx([27 * math.log(5)], rel=1e-6)


def test_a_condition_reaches_every_code() -> None:
    grid = GRIDS["plain"]
    model, codes = model_of(grid, condition=3), codes_of(grid)
    with torch.no_grad():
        one, other = (flat(model(codes, torch.full((1, 3), value).double())) for value in (0.0, 1.0))
    assert ((one - other).abs().amax(1) > 0).all()


@pytest.mark.parametrize("name", GRIDS)
@torch.no_grad()
def test_a_guess_counts_as_far_as_it_is_believed(name: str) -> None:
    """Its logits times the trust, which what came before decides, are added at its own code and nowhere else."""
    grid = GRIDS[name]
    torch.manual_seed(0)
    config = PixelCNNConfig(layers=3, channels=8, kernel_radius=1, hidden_channels=12)
    model = PixelCNN(config, grid, guessed=True).double().eval()
    codes, trust = codes_of(grid), model.head.prior_gate
    assert trust is not None
    contexts: list[Tensor] = []
    trust.register_forward_hook(lambda _, given, __: contexts.append(given[0]))
    guess = torch.randn(
        1, grid.height, grid.width, grid.codes_per_position, grid.num_codes, dtype=torch.float64
    )
    without, told = model(codes, guess=torch.zeros_like(guess)), model(codes, guess=guess)
    believed = (contexts[0] @ trust.weight.t() + trust.bias).exp().log1p()
    torch.testing.assert_close(told, without + believed.unsqueeze(-1) * guess)
    uniforms = torch.rand(2, grid.height, grid.width, grid.codes_per_position, dtype=torch.float64)
    strong = 50 * guess.expand(2, -1, -1, -1, -1)
    drawn = sample_grids(model, uniforms, guess=strong)
    assert torch.equal(drawn, naive(model, uniforms, None, strong))
    assert not torch.equal(drawn, sample_grids(model, uniforms, guess=-strong))
