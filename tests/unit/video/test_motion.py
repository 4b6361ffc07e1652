"""The motion model: warping by a given flow, training on images, and the code logits."""

import dataclasses

import pytest
import torch
from torch import Tensor

from helpers.video_data import CONTEXT_FRAMES, MOTION, PRIOR, codes_of, image_of, prior_of
from speechvq.config.video import MotionConfig, VideoPriorConfig
from speechvq.errors import UserError
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.video.model.motion import Motion
from speechvq.video.model.prior import VideoPrior

SQUARE, SEVERAL = Grid(4, 4, 1, 6), Grid(4, 4, 2, 5)
ACTIONS = 6


def motion_of(grid: Grid = SQUARE, **changes: object) -> Motion:
    """One of random weights, in double precision."""
    torch.manual_seed(0)
    config = dataclasses.replace(PRIOR, motion=MOTION, **changes)  # type: ignore[arg-type]
    return Motion(config, grid, image_of(grid), ACTIONS).double().eval()


def shifted(images: Tensor, right: int, down: int) -> Tensor:
    """The image shifted by whole pixels with the border repeated, by loops."""
    _, _, height, width = images.shape
    out = torch.empty_like(images)
    for y in range(height):
        for x in range(width):
            out[:, :, y, x] = images[
                :, :, min(max(y + down, 0), height - 1), min(max(x + right, 0), width - 1)
            ]
    return out


def places(like: Tensor) -> Tensor:
    """The centers of a square map's positions, x and y, in [-1, 1]."""
    middles = (torch.arange(like.shape[-1], dtype=like.dtype) + 0.5) * 2 / like.shape[-1] - 1
    return torch.stack([middles.expand(len(middles), -1), middles[:, None].expand(-1, len(middles))])[None]


@pytest.mark.parametrize(("right", "down"), [(0, 0), (3, 0), (-2, 0), (0, 5), (-1, -4)])
@torch.no_grad()
def test_a_uniform_flow_shifts_the_image(right: int, down: int) -> None:
    motion, past, action = motion_of(), codes_of(2, CONTEXT_FRAMES, SQUARE), torch.tensor([1, 4])
    motion.flow_basis.zero_()
    side = 4 * SQUARE.height
    motion.flow_bias[1] = motion.flow_bias[4] = torch.tensor([right, down]).view(2, 1, 1) * 2 / side
    moved = motion(past, action)
    last = motion.image.decode(past[:, -1]).double()
    torch.testing.assert_close(moved.images, shifted(last, right, down))
    places = torch.arange(side)
    across, along = ((places + by >= 0) & (places + by < side) for by in (right, down))
    assert torch.equal(moved.visibility[:, 0], (along[:, None] & across).double().expand(2, -1, -1))


@torch.no_grad()
def test_flow_depends_on_depth_features() -> None:
    """The flow is a bias plus a basis weighted by the depth features of each position."""
    motion, past, action = motion_of(), codes_of(1, CONTEXT_FRAMES, SQUARE), torch.tensor([2])
    motion.flow_bias.normal_()
    seen: list[Tensor] = []
    motion.depth_features.register_forward_hook(lambda _, __, output: seen.append(output))
    still, way = torch.nn.functional.grid_sample, []
    torch.nn.functional.grid_sample = lambda image, places, **k: (
        way.append(places) or still(image, places, **k)
    )
    try:
        motion(past, action)
    finally:
        torch.nn.functional.grid_sample = still
    expected = torch.empty(1, 2, 4, 4, dtype=torch.float64)
    for i, j, d in ((i, j, d) for i in range(4) for j in range(4) for d in range(2)):
        expected[0, d, i, j] = (
            motion.flow_bias[2, d, i, j] + (motion.flow_basis[2, d, :, i, j] * seen[0][0, i, j]).sum()
        )
    fine = torch.nn.functional.interpolate(expected, size=16, mode="bilinear")
    torch.testing.assert_close(way[0].permute(0, 3, 1, 2), places(fine) + fine)


@pytest.mark.parametrize("grid", [SQUARE, SEVERAL], ids=["plain", "several"])
@torch.no_grad()
def test_the_largest_code_logit_is_the_image_models_code(grid: Grid) -> None:
    motion, past = motion_of(grid).float(), codes_of(3, CONTEXT_FRAMES, grid)
    motion.flow_bias.normal_(std=0.3)
    moved = motion(past, torch.tensor([0, 1, 2]))
    vectors, known = motion.encode_warped(moved)
    near = motion.code_logits(vectors)
    assert near.shape == (3, 4, 4, grid.codes_per_position, grid.num_codes) and known.shape == (3, 4, 4, 1)
    assert torch.equal(near.argmax(-1), motion.image.quantizer(vectors).codes)
    entries = motion.image.entries()
    for g in range(grid.codes_per_position):
        for k in range(grid.num_codes):
            slow = -(vectors[:, :, :, g] - entries[k, g]).square().sum(-1)
            torch.testing.assert_close(near[..., g, k], slow, atol=1e-4, rtol=1e-4)
    assert torch.equal(known[:, 1, 2, 0], moved.visibility[:, 0, 4:8, 8:12].mean((1, 2)))


def test_motion_is_learned_from_images_without_labels() -> None:
    """One action shifts the content by a code, the other does not; every code is a color."""
    torch.manual_seed(0)
    grid = Grid(8, 8, 1, 16)
    config = VideoPriorConfig(context_frames=2, motion=MotionConfig(depth_features=2, channels=8, blocks=1))
    motion, colors = Motion(config, grid, image_of(grid), ACTIONS), torch.randint(256, (16, 3)).byte()
    motion.image.decode = lambda codes: (
        colors[codes[..., 0]].permute(0, 3, 1, 2).repeat_interleave(4, 2).repeat_interleave(4, 3)
    )
    optimizer = torch.optim.Adam([p for p in motion.parameters() if p.requires_grad], lr=0.01)

    def frames(seed: int) -> tuple[Tensor, Tensor]:
        """Three frames; the last is the one before under action 1, a code to the left, or 0, as it was."""
        wide = torch.randint(16, (16, 8, 9, 1), generator=torch.Generator().manual_seed(seed))
        actions = torch.tensor([[0, 0], [0, 1]] * 8)
        after = torch.where(actions[:, 1].view(-1, 1, 1, 1) == 1, wide[:, :, 1:], wide[:, :, :-1])
        return torch.stack([wide[:, :, :-1], wide[:, :, :-1], after], 1), actions

    held = frames(10_000)
    before = float(motion.loss(*held).detach())
    for seed in range(120):
        optimizer.zero_grad()
        motion.loss(*frames(seed)).backward()
        optimizer.step()
    assert float(motion.loss(*held).detach()) < 0.5 * before
    inside = motion.flow_bias.detach()[:2, :, 2:6, 2:6].mean((2, 3)) * 32 / 2  # pixels
    assert (
        abs(float(inside[1, 0]) - 4) < 1.5 and abs(float(inside[0, 0])) < 1 and abs(float(inside[1, 1])) < 1
    )


def test_the_image_model_is_frozen() -> None:
    prior = prior_of(motion=MOTION)
    assert prior.motion is not None
    kept = {name: tensor.clone() for name, tensor in prior.motion.image.state_dict().items()}
    prior.train()
    assert prior.motion.training and not prior.motion.image.training
    codes, actions = codes_of(2, CONTEXT_FRAMES + 1, prior.grid), torch.zeros(2, CONTEXT_FRAMES).long()
    prior(codes, actions).total.backward()
    assert prior.warp_proj.weight.grad is not None and prior.pixelcnn.head.prior_gate is not None
    assert prior.pixelcnn.head.prior_gate.weight.grad is not None
    assert all(p.grad is None for p in prior.motion.parameters()), "the prior's loss teaches motion"
    prior.motion.loss(codes, actions).backward()
    assert prior.motion.flow_bias.grad is not None and all(
        p.grad is None for p in prior.motion.image.parameters()
    )
    for name, tensor in prior.motion.image.state_dict().items():
        assert torch.equal(tensor, kept[name]), name


@torch.no_grad()
def test_without_actions_the_flow_is_shared() -> None:
    motion, past = motion_of(actions=False), codes_of(2, CONTEXT_FRAMES, SQUARE)[:1].expand(2, -1, -1, -1, -1)
    motion.flow_bias.normal_()
    one, other = motion(past, torch.tensor([0, 5])).images
    assert torch.equal(one, other) and len(motion.flow_bias) == 1


def test_motion_needs_past_frames_and_a_codebook() -> None:
    with pytest.raises(UserError, match=r"model.motion.depth_features with model.context_frames=0"):
        VideoPriorConfig(context_frames=0, actions=False, motion=MOTION)
    with pytest.raises(UserError, match="needs the codes of a VQ-VAE"):
        VideoPrior(VideoPriorConfig(motion=MOTION), SQUARE, "abc")


@torch.no_grad()
def test_warped_codes_are_computed_in_float32_under_autocast() -> None:
    prior = prior_of(motion=MOTION).float()
    past, action = codes_of(2, CONTEXT_FRAMES, prior.grid), torch.tensor([0, 3])
    expected = prior.condition(past, action).prior_logits
    with torch.autocast("cpu", torch.bfloat16):
        guess = prior.condition(past, action).prior_logits
    assert guess is not None and guess.dtype == torch.float32 and torch.equal(guess, expected)
