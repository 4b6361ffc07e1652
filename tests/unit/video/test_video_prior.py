"""The prior over frames: conditions affect every code, later codes do not, caches change nothing."""

import dataclasses
import itertools
import math
import sys

import pytest
import torch

from helpers.tiny import ROOT
from helpers.video_data import (
    CONTEXT_FRAMES,
    MOTION,
    PRIOR,
    SMALL_GRID,
    VARIANTS,
    codes_of,
    image_of,
    prior_of,
)
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.config.video import VideoPriorConfig
from speechvq.errors import UserError
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.video.model.prior import FrameCondition
from speechvq.video.model.rollout import roll_out

sys.path.insert(0, str(ROOT / "recipes/benchmark"))
import video
from naive_frames import sample_frame_uncached

SEVERAL = Grid(3, 3, 2, 5)


@pytest.mark.parametrize("grid", [SMALL_GRID, SEVERAL], ids=["plain", "several"])
@pytest.mark.parametrize("variant", VARIANTS)
@torch.no_grad()
def test_cached_sampling_equals_naive_sampling(variant: str, grid: Grid) -> None:
    prior = prior_of(grid, **VARIANTS[variant])
    past, action = codes_of(2, prior.config.context_frames, prior.grid), torch.tensor([1, 4])
    uniforms = torch.rand(2, *prior.grid[:3], dtype=torch.float64)
    naive = sample_frame_uncached(prior, past, action, uniforms)
    assert (
        torch.equal(prior.sample(uniforms, FrameCondition(past, action)), naive) and len(naive.unique()) > 1
    )


@torch.no_grad()
def test_naive_sampling_of_the_first_codes() -> None:
    prior, past, action = prior_of(), codes_of(1, CONTEXT_FRAMES), torch.tensor([0])
    uniforms = torch.rand(1, 4, 5, 1, dtype=torch.float64)
    few = sample_frame_uncached(prior, past, action, uniforms, 7).flatten()
    whole = prior.sample(uniforms, FrameCondition(past, action)).flatten()
    assert torch.equal(few[:7], whole[:7]) and (few[7:] == 0).all()


@pytest.mark.parametrize("variant", ["prior", "motion"])
@torch.no_grad()
def test_every_past_code_has_an_effect_and_no_later_code(variant: str) -> None:
    prior = prior_of(blocks=4, **VARIANTS[variant])
    past, codes = codes_of(1, CONTEXT_FRAMES, prior.grid), codes_of(1, 1, prior.grid, seed=1)[:, 0]
    action = torch.tensor([2])

    def logits(past: torch.Tensor, codes: torch.Tensor, action: torch.Tensor = action) -> torch.Tensor:
        conditioning = prior.condition(past, action)
        return prior.pixelcnn(codes, conditioning.features, conditioning.prior_logits)[0].flatten(0, 2)

    before = logits(past, codes)
    assert ((logits(past, codes, torch.tensor([3])) - before).abs().amax(1) > 0).all(), "the action"
    for place in range(past.numel()):
        changed = past.clone().flatten()
        changed[place] = (changed[place] + 1) % SMALL_GRID.num_codes
        moved = (logits(changed.view_as(past), codes) - before).abs().amax(1)
        assert (moved > 0).all(), f"code {place} of the past is not seen everywhere"
    for place in range(codes.numel()):
        changed = codes.clone().flatten()
        changed[place] = (changed[place] + 1) % SMALL_GRID.num_codes
        moved = (logits(past, changed.view_as(codes)) - before).abs().amax(1)
        assert (moved[: place + 1] == 0).all(), f"code {place} is seen too early"


@torch.no_grad()
def test_unused_conditions_have_no_effect() -> None:
    codes = codes_of(2, 1, seed=1)[:, 0]
    without = prior_of(**VARIANTS["no_action"])
    one, other = (without.nll(codes_of(2, CONTEXT_FRAMES), torch.full((2,), a), codes) for a in (0, 5))
    assert torch.equal(one, other) and without.context.action_embedding is None
    alone = prior_of(**VARIANTS["no_past"])
    assert alone.context.code_embedding is None and alone.nll(
        codes_of(2, 0), torch.zeros(2).long(), codes
    ).shape == (2,)


@pytest.mark.parametrize("variant", ["prior", "motion"])
@torch.no_grad()
def test_the_probabilities_of_all_frames_sum_to_one(variant: str) -> None:
    prior = prior_of(Grid(2, 2, 1, 3), **VARIANTS[variant])
    every = torch.tensor(list(itertools.product(range(3), repeat=4))).view(-1, 2, 2, 1)
    past = codes_of(1, CONTEXT_FRAMES, prior.grid).expand(len(every), -1, -1, -1, -1)
    nats = prior.nll(past, torch.full((len(every),), 3), every)
    assert float((-nats).exp().sum()) == pytest.approx(1.0, rel=1e-6)


def test_the_loss_is_of_the_last_frame_under_the_last_action() -> None:
    prior, codes, actions = prior_of(), codes_of(2, CONTEXT_FRAMES + 1), torch.tensor([[0, 1, 2], [5, 4, 3]])
    losses = prior(codes, actions)
    expected = prior.nll(codes[:, :-1], torch.tensor([2, 3]), codes[:, -1]).mean() / 20
    assert losses.total.item() == pytest.approx(expected.item()) and losses.nats.item() == losses.total.item()
    assert not losses.nats.requires_grad
    alone = prior_of(**VARIANTS["no_past"])
    assert math.isfinite(alone(codes[:, :1], torch.zeros(2, 0).long()).total.item())


def test_context_noise_is_added_in_training_only() -> None:
    prior, codes, actions = (
        prior_of(context_noise=0.5),
        codes_of(4, CONTEXT_FRAMES + 1),
        torch.zeros(4, CONTEXT_FRAMES).long(),
    )
    quiet = prior(codes, actions).nats
    assert prior(codes, actions).nats == quiet
    prior.train()
    noisy = [prior(codes, actions).nats.item() for _ in range(2)]
    assert len({*noisy, quiet.item()}) == 3
    assert prior_of(context_noise=0.0).train()(codes, actions).nats == quiet


@pytest.mark.parametrize("grid", [SMALL_GRID, SEVERAL], ids=["plain", "several"])
@torch.no_grad()
def test_similar_codes_start_with_similar_embeddings(grid: Grid) -> None:
    prior, vectors = (
        prior_of(grid),
        torch.randn(grid.num_codes, grid.codes_per_position, 3, dtype=torch.float64),
    )
    vectors[1] = vectors[0]
    prior.pixelcnn.head.bias.zero_()
    prior.init_code_embeddings(vectors)
    past, codes, action = codes_of(1, CONTEXT_FRAMES, grid), codes_of(1, 1, grid)[:, 0], torch.tensor([0])
    logits = prior.pixelcnn(codes, prior.context(past, action))
    assert torch.allclose(logits[..., 0], logits[..., 1]) and not torch.allclose(
        logits[..., 0], logits[..., 2]
    )
    swapped = torch.where(past < 2, 1 - past, past)
    assert (swapped != past).any() and torch.allclose(
        prior.context(swapped, action), prior.context(past, action)
    )
    for read in (prior.context.code_embedding, prior.pixelcnn.code_embedding):
        assert read is not None and float(read.embedding.weight.std()) == pytest.approx(1.0, abs=0.35)
    prior_of(**VARIANTS["no_past"]).init_code_embeddings(torch.randn(6, 1, 3, dtype=torch.float64))


def test_a_rollout_conditions_on_its_own_frames() -> None:
    prior, past, actions = prior_of(), codes_of(2, CONTEXT_FRAMES), torch.tensor([[0, 1, 2, 3], [3, 2, 1, 0]])
    counted: list[int] = []
    drawn = roll_out(prior, past, actions, seed=7, on_frame=counted.append)
    assert drawn.shape == (2, 4, 4, 5, 1) and counted == [1, 2, 3, 4]
    frames = past
    for t in range(4):
        uniforms = torch.stack(
            [torch.rand(4, 5, 1, generator=torch.Generator().manual_seed(hash((7, i, t)))) for i in range(2)]
        )
        following = sample_frame_uncached(prior, frames[:, -CONTEXT_FRAMES:], actions[:, t], uniforms)
        frames = torch.cat([frames, following[:, None]], 1)
    assert torch.equal(drawn, frames[:, CONTEXT_FRAMES:])


def test_a_rollout_depends_on_seed_and_index_alone() -> None:
    prior, past, actions = prior_of(), codes_of(3, CONTEXT_FRAMES), torch.randint(6, (3, 5))
    drawn = roll_out(prior, past, actions, seed=1)
    assert torch.equal(roll_out(prior, past, actions, seed=1), drawn)
    assert torch.equal(roll_out(prior, past[:1], actions[:1, :2], seed=1), drawn[:1, :2])
    assert not torch.equal(roll_out(prior, past, actions, seed=2), drawn)
    alone = prior_of(**VARIANTS["no_past"])
    assert roll_out(alone, codes_of(2, 0), actions[:2]).shape == (2, 5, 4, 5, 1)


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        ({"context_frames": 0}, "model.actions=true with model.context_frames=0"),
        ({"pixelcnn": PixelCNNConfig(class_conditional=True)}, "frames have no classes"),
    ],
)
def test_contradictory_settings_are_refused(settings: dict[str, object], line: str) -> None:
    with pytest.raises(UserError, match=line):
        VideoPriorConfig(**settings)  # type: ignore[arg-type]


def test_the_benchmark_measures_all_three() -> None:
    config = dataclasses.replace(PRIOR, motion=MOTION)
    part = video.measure(config, image_of(Grid(3, 3, 1, 4)).config, naive_codes=20, repeats=1)
    assert part["frames_per_second"]["video_rollout"].keys() == {"cached", "cached_batched", "naive"}
    assert part["ratios"]["video_rollout"] > 0
