"""Random changes of the decoder's inputs in training."""

import torch
from torch import Tensor


def time_jitter(vectors: Tensor, probability: float) -> Tensor:
    """Replace random frames by one of their neighbors (Chorowski et al. 2019, section II-C).

    The decoder cannot rely on single codes then, so neighboring codes come to represent the same phone.

    Args:
        vectors: (B, N, D).
        probability: that a frame is replaced; the previous and the next frame are equally likely. The first
            and the last frame also count as their own neighbors.

    Returns:
        (B, N, D).
    """
    batch, frames, _ = vectors.shape
    draw = torch.rand(batch, frames, device=vectors.device)
    step = (draw < probability / 2).long() - (draw > 1 - probability / 2).long()
    source = (torch.arange(frames, device=vectors.device) + step).clamp(0, frames - 1)
    return vectors.gather(1, source.unsqueeze(-1).expand_as(vectors))


def add_input_noise(bins: Tensor, max_std: float, num_bins: int) -> Tensor:
    """Add Gaussian noise to the past samples that the decoder sees, with a random deviation for each crop.

    In sampling the past consists of the decoder's own, imperfect samples. A decoder trained on perfect past
    samples drifts away from the codes (Valin and Skoglund 2019, section 3.4).

    Args:
        bins: (B, T), int64, mu-law bins.
        max_std: upper end of the uniform distribution of the standard deviation, in bins.
        num_bins: noisy bins are clipped to [0, num_bins).

    Returns:
        (B, T), int64.
    """
    std = max_std * torch.rand(len(bins), 1, device=bins.device)
    noisy = bins + std * torch.randn(bins.shape, device=bins.device)
    return noisy.round().long().clamp(0, num_bins - 1)
