"""All gated layers of a WaveNet as one function with a hand-written backward pass, for training in float32.

Outside the matrix products the time goes into memory traffic. Therefore each layer stores only its two taps,
its sigmoids and its gated output, and each product accumulates into its destination. Tensors have channels
first and then the samples of all rows, so that every product spans the batch.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor


class Sizes(NamedTuple):
    """Axes that are merged into one in most tensors here."""

    batch: int
    frames: int
    hop: int


def gated_stack(
    x: Tensor, condition: Tensor, gates: Tensor, outs: Tensor, out_biases: Tensor, dilations: Sequence[int]
) -> Tensor:
    """Sum of the skip outputs of all layers, differentiable once; equals `GatedLayer`s up to rounding.

    Args:
        x: (B, R, T), input of the first layer.
        condition: (B, layers x 2 R, N), T a multiple of N.
        gates: (layers, 2 R, 2 R), see `GatedLayer.gate`.
        outs: (layers, R + S, R), see `GatedLayer.out`.
        out_biases: (layers, R + S, 1).
        dilations: one per layer.

    Returns:
        (S, B, T), channels first.
    """
    return _GatedStack.apply(x, condition, gates, outs, out_biases, tuple(dilations))


class _GatedStack(torch.autograd.Function):
    """With p and q the sigmoids of doubled filter and gate, tanh x sigmoid = 2 (p - 1/2) q = 2 z."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        condition: Tensor,
        gates: Tensor,
        outs: Tensor,
        biases: Tensor,
        dilations: tuple[int, ...],
    ) -> Tensor:
        residual, frames = x.shape[1], condition.shape[-1]
        ctx.sizes = sizes = Sizes(len(x), frames, x.shape[2] // frames)
        gates, outs, local = _doubled(gates), 2 * outs, condition.unflatten(1, (len(dilations), -1))
        ctx.dilations, saved = dilations, [gates, outs]
        total = biases[:, residual:].sum(0).repeat(1, len(x) * x.shape[2])
        x = x.transpose(0, 1).flatten(1)
        for i, dilation in enumerate(dilations):
            taps = _taps(x, dilation, sizes)
            soft = gates[i] @ taps
            soft.view(-1, *sizes).add_(local[:, i].transpose(0, 1).unsqueeze(-1)).sigmoid_()
            p, q = soft.chunk(2)
            z = (p * q).sub_(q, alpha=0.5)
            total.addmm_(outs[i, residual:], z)
            x = torch.add(x, biases[i, :residual]).addmm_(outs[i, :residual], z)
            saved += [taps, soft, z] if any(ctx.needs_input_grad) else []
        ctx.save_for_backward(*saved)
        return total.unflatten(1, (sizes.batch, -1))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gates, outs, *saved = ctx.saved_tensors
        residual, sizes = gates.shape[1] // 2, ctx.sizes
        above = torch.cat([gradient.new_zeros(residual, gradient[0].numel()), gradient.flatten(1)])
        to_x = above[:residual]
        to_gates, to_outs = torch.empty_like(gates), torch.empty_like(outs)
        to_biases = above.sum(1, keepdim=True).repeat(len(gates), 1, 1)
        to_condition = gates.new_empty(sizes.batch, len(gates), 2 * residual, sizes.frames)
        for i in reversed(range(len(gates))):
            taps, soft, z = saved[3 * i : 3 * i + 3]
            torch.sum(to_x, 1, keepdim=True, out=to_biases[i, :residual])
            torch.mm(above, z.t(), out=to_outs[i])
            to_a = _through_gate(outs[i].t() @ above, soft)
            to_condition[:, i] = to_a.view(-1, *sizes).sum(-1).transpose(0, 1)
            torch.mm(to_a, taps.t(), out=to_gates[i])
            _add_taps(to_x, gates[i].t() @ to_a, ctx.dilations[i], sizes)
        to_x = to_x.unflatten(1, (sizes.batch, -1)).transpose(0, 1)
        return to_x, to_condition.flatten(1, 2), _doubled(to_gates), 2 * to_outs, to_biases, None


def _doubled(gates: Tensor) -> Tensor:
    """Gates (layers, 2 R, 2 R) with doubled filter rows, because tanh(a) = 2 sigmoid(2a) - 1."""
    filters, others = gates.chunk(2, dim=1)
    return torch.cat([2 * filters, others], dim=1)


def _taps(x: Tensor, dilation: int, sizes: Sizes) -> Tensor:
    """The samples `dilation` earlier, stacked on the samples: (R, B T) to (2 R, B T)."""
    taps = x.new_empty(2, len(x), sizes.batch, sizes.frames * sizes.hop)
    taps[1] = x.view_as(taps[1])
    taps[0, ..., :dilation] = 0
    taps[0, ..., dilation:] = taps[1, ..., : max(taps.shape[-1] - dilation, 0)]
    return taps.view(-1, x.shape[1])


def _through_gate(to_z: Tensor, soft: Tensor) -> Tensor:
    """Gradient of the sigmoids' input: gradient of z (R, B T) and sigmoids (2 R, B T) to (2 R, B T)."""
    p, q = soft.chunk(2)
    to_soft = torch.empty_like(soft)
    torch.mul(to_z, q, out=to_soft[: len(q)])
    torch.mul(to_z, p, out=to_soft[len(q) :]).sub_(to_z, alpha=0.5)
    return torch.ops.aten.sigmoid_backward.grad_input(to_soft, soft, grad_input=to_soft)


def _add_taps(to_x: Tensor, to_taps: Tensor, dilation: int, sizes: Sizes) -> None:
    """Add the gradient of the taps, (2 R, B T), to the gradient of the layer's input, (R, B T), in place."""
    past, present = to_taps.view(2, len(to_x), sizes.batch, -1)
    whole = to_x.view_as(present)
    whole += present
    whole[..., : max(whole.shape[-1] - dilation, 0)] += past[..., dilation:]
