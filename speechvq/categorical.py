"""A draw from a categorical distribution by its distribution function: equal uniforms, equal draws, whatever
computes the logits."""

import torch
from torch import Tensor


def sample_categorical(
    logits: Tensor, uniforms: Tensor, temperature: float = 1.0, top_p: float = 1.0
) -> Tensor:
    """Classes by the inverse of the distribution function, in double precision.

    Args:
        logits: (B, K).
        uniforms: (B,), in [0, 1).
        temperature: below 1 sharpens; 0 takes the likeliest class.
        top_p: keep the likeliest classes that together have this probability (Holtzman et al. 2020).

    Returns:
        (B,), int64.
    """
    if temperature == 0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits.double() / temperature, dim=-1)
    if top_p < 1:
        ordered, order = probabilities.sort(dim=-1, descending=True)
        beyond = ordered.cumsum(-1) - ordered >= top_p
        beyond[..., 0] = False  # the likeliest stays, however small top_p is
        probabilities = probabilities.masked_fill(torch.zeros_like(beyond).scatter(-1, order, beyond), 0.0)
    steps = probabilities.cumsum(-1)
    threshold = uniforms.double().unsqueeze(-1) * steps[..., -1:]
    return (steps <= threshold).sum(-1).clamp_max(logits.shape[-1] - 1)
