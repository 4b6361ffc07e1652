"""Inverse-CDF sampling: the same uniforms give the same classes, whichever engine computes the logits."""

import torch
from torch import Tensor


def sample_categorical(
    logits: Tensor, uniforms: Tensor, temperature: float = 1.0, top_p: float = 1.0
) -> Tensor:
    """Sample classes by the inverse cumulative distribution function, in float64.

    Args:
        logits: (B, K).
        uniforms: (B,), in [0, 1).
        temperature: divides the logits; 0 takes the most probable class.
        top_p: nucleus sampling (Holtzman et al. 2020): keep the most probable classes that together have this
            probability; 1 keeps all.

    Returns:
        (B,), int64.
    """
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        excluded = ordered.cumsum(-1) - ordered >= top_p
        excluded[..., 0] = False  # the most probable class is kept for any top_p
        mask = torch.zeros_like(excluded).scatter(-1, order, excluded)
        probabilities = probabilities.masked_fill(mask, 0.0)
    cdf = probabilities.cumsum(-1)
    threshold = uniforms.double().unsqueeze(-1) * cdf[..., -1:]
    return (cdf <= threshold).sum(-1).clamp_max(logits.shape[-1] - 1)
