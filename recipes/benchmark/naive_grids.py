"""Sampling a grid of codes without a cache: the parallel network is evaluated for every code."""

import itertools

import torch
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.priors.grid.pixelcnn import PixelCNN


@torch.no_grad()
def sample_grids_uncached(
    pixelcnn: PixelCNN,
    uniforms: Tensor,
    condition: Tensor | None = None,
    codes: int | None = None,
    *,
    prior_logits: Tensor | None = None,
) -> Tensor:
    """Sample grids code by code.

    Args:
        pixelcnn: in evaluation mode.
        uniforms: (B, H, W, G) in [0, 1).
        condition: conditioning features, or None.
        codes: how many of each grid; the others stay 0. None for all.
        prior_logits: (B, H, W, G, K), or None.

    Returns:
        (B, H, W, G), int64.
    """
    drawn = torch.zeros_like(uniforms, dtype=torch.long)
    places = itertools.product(*map(range, uniforms.shape[1:]))
    for i, j, g in itertools.islice(places, codes):
        drawn[:, i, j, g] = sample_categorical(
            pixelcnn(drawn, condition, prior_logits)[:, i, j, g], uniforms[:, i, j, g]
        )
    return drawn
