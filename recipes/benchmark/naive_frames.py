"""Sampling the next video frame without a cache: the parallel network is evaluated for every code."""

import torch
from torch import Tensor

from naive_grids import sample_grids_uncached
from speechvq.video.model.prior import VideoPrior


@torch.no_grad()
def sample_frame_uncached(
    prior: VideoPrior, past: Tensor, action: Tensor, uniforms: Tensor, codes: int | None = None
) -> Tensor:
    """Sample the next frame of videos code by code; the conditioning is computed once.

    Args:
        prior: in evaluation mode.
        past: (B, past, H, W, G), int64.
        action: (B,), int64.
        uniforms: (B, H, W, G) in [0, 1).
        codes: how many of each frame; the others stay 0. None for all.

    Returns:
        (B, H, W, G), int64.
    """
    conditioning = prior.condition(past, action)
    return sample_grids_uncached(
        prior.pixelcnn, uniforms, conditioning.features, codes, prior_logits=conditioning.prior_logits
    )
