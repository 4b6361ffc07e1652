"""All gated layers of a WaveNet as matrix products with channels last, for training in bfloat16.

In bfloat16 a convolution is no faster than a matrix product, and a sum of twenty skip outputs is rounded
twenty times. Here one product sums the skip outputs of all layers.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor


def linear_stack(
    x: Tensor, condition: Tensor, gates: Tensor, outs: Tensor, out_biases: Tensor, dilations: Sequence[int]
) -> Tensor:
    """Sum of the skip outputs of all layers: equals `GatedLayer`s up to rounding.

    Args:
        x: (B, T, R), input of the first layer.
        condition: (B, layers x 2 R, N), T a multiple of N.
        gates: (layers, 2 R, 2 R), see `GatedLayer.gate`.
        outs: (layers, R + U, R), see `GatedLayer.out`.
        out_biases: (layers, R + U, 1).
        dilations: one per layer.

    Returns:
        (U, B, T), channels first.
    """
    residual = x.shape[-1]
    filters, others = gates.chunk(2, dim=1)
    gates, outputs = torch.cat([2 * filters, others], dim=1), []  # tanh(a) = 2 sigmoid(2a) - 1
    local = condition.unflatten(1, (len(gates), -1)).permute(1, 0, 3, 2).unsqueeze(3)
    for dilation, weight, out, bias, here in zip(dilations, gates, outs, out_biases, local):
        past = F.pad(x, (0, 0, dilation, 0))[:, : x.shape[1]]
        a = F.linear(torch.cat([past, x], dim=-1), weight).unflatten(1, (here.shape[1], -1))
        filter_sigmoid, gate = torch.sigmoid(a + here).flatten(1, 2).chunk(2, dim=-1)
        outputs.append((2 * filter_sigmoid - 1) * gate)
        x = x + F.linear(outputs[-1], out[:residual], bias[:residual, 0])
    skips = outs[:, residual:].transpose(0, 1).flatten(1)
    total = F.linear(torch.cat(outputs, dim=-1), skips, out_biases[:, residual:].sum((0, 2)))
    return total.permute(2, 0, 1)
