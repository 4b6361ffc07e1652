"""Acting in codes: frame after frame drawn from a prior, each told the ones drawn before it."""

from collections.abc import Callable

import torch
from torch import Tensor

from speechvq.video.model.prior import VideoPrior


@torch.no_grad()
def roll_out(
    prior: VideoPrior,
    past: Tensor,
    actions: Tensor,
    *,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    on_frame: Callable[[int], None] | None = None,
) -> Tensor:
    """Draw videos side by side; video i depends on the seed, its past, its actions and i alone.

    Args:
        prior: in evaluation mode.
        past: (B, past, H, W, G), int64, codes of the frames that are given.
        actions: (B, L), int64, places in world.ACTIONS: what is done, one a frame.
        seed: of the draws.
        temperature, top_p: sharpen the choice of every code, see `categorical.draw`.
        on_frame: told how many frames are drawn.

    Returns:
        (B, L, H, W, G), int64.
    """
    frames, given = past, past.shape[1]
    for t in range(actions.shape[1]):
        seen = frames[:, frames.shape[1] - prior.config.context_frames :]
        uniforms = _uniforms(prior, len(past), seed, t)
        drawn = prior.sample(seen, actions[:, t], uniforms, temperature=temperature, top_p=top_p)
        frames = torch.cat([frames, drawn[:, None]], 1)
        if on_frame is not None:
            on_frame(t + 1)
    return frames[:, given:]


def _uniforms(prior: VideoPrior, videos: int, seed: int, t: int) -> Tensor:
    """One for each code of frame t of each video, (B, H, W, G)."""
    shape = (prior.grid.height, prior.grid.width, prior.grid.codes_per_position)
    seeds = (hash((seed, video, t)) for video in range(videos))
    each = [torch.rand(shape, generator=torch.Generator().manual_seed(each)) for each in seeds]
    return torch.stack(each).to(prior.context.position_embedding.device)
