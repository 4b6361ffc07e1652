"""The next frame drawn without a cache: the parallel network runs over all of it again for every code."""

import torch
from torch import Tensor

from naive_grids import draw_grids_again_and_again
from speechvq.video.model.prior import VideoPrior


@torch.no_grad()
def draw_again_and_again(
    prior: VideoPrior, past: Tensor, action: Tensor, uniforms: Tensor, codes: int | None = None
) -> Tensor:
    """Draw the next frame of videos, code by code; what the prior is told is computed once.

    Args:
        prior: in evaluation mode.
        past: (B, past, H, W, G), int64.
        action: (B,), int64.
        uniforms: (B, H, W, G) in [0, 1).
        codes: how many of each frame; the others stay 0. None for all.

    Returns:
        (B, H, W, G), int64.
    """
    told = prior.condition(past, action)
    return draw_grids_again_and_again(
        prior.pixelcnn, uniforms, told.features, codes, prior_logits=told.prior_logits
    )
