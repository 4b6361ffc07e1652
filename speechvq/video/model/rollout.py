"""Sampling videos frame by frame; each sampled frame becomes context of the next."""

from collections.abc import Callable

import torch
from torch import Tensor

from speechvq.priors.grid.sampling import seeded_uniforms
from speechvq.video.model.prior import FrameCondition, VideoPrior


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
    """Sample a batch of videos. Video i depends on the seed, its context, its actions and i alone.

    Args:
        prior: in evaluation mode.
        past: (B, context_frames, H, W, G), int64, codes of the given frames, the oldest first.
        actions: (B, L), int64, indices into ACTIONS, one for each sampled frame.
        seed: of the random draws.
        temperature: divides the logits; 0 takes the most likely code.
        top_p: nucleus sampling, see `categorical.sample_categorical`.
        on_frame: called with the number of sampled frames.

    Returns:
        (B, L, H, W, G), int64.
    """
    frames, given = past, past.shape[1]
    device = prior.context.position_embedding.device
    for t in range(actions.shape[1]):
        context = frames[:, frames.shape[1] - prior.config.context_frames :]
        uniforms = seeded_uniforms(prior.grid, (hash((seed, i, t)) for i in range(len(past)))).to(device)
        condition = FrameCondition(context, actions[:, t])
        sampled = prior.sample(uniforms, condition, temperature=temperature, top_p=top_p)
        frames = torch.cat([frames, sampled[:, None]], 1)
        if on_frame is not None:
            on_frame(t + 1)
    return frames[:, given:]
