"""All gated layers of a WaveNet as one function with a hand-written backward pass, for training.

Outside the matrix products the time goes into memory traffic. Therefore each layer stores only its two taps,
its sigmoids and its gated output, and each product accumulates into its destination. Tensors have channels
first and then the samples of all rows, so that every product spans the batch.

In bfloat16 what accumulates over the layers is not rounded by each of them: the input of a layer and its
gradient stay float32, and one product sums the skip outputs of all layers.
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
        x: (B, R, T), input of the first layer. The others have its type, or are bfloat16 and x float32.
        condition: (B, layers x 2 R, N), T a multiple of N.
        gates: (layers, 2 R, 2 R), see `GatedLayer.gate`.
        outs: (layers, R + U, R), see `GatedLayer.out`.
        out_biases: (layers, R + U, 1).
        dilations: one per layer.

    Returns:
        (U, B, T), channels first.
    """
    return _GatedStack.apply(x, condition, gates, outs, out_biases, tuple(dilations))


class _GatedStack(torch.autograd.Function):
    """tanh(filter) x gate = 2 (filter_sigmoid - 1/2) gate = 2 z, filter_sigmoid = sigmoid(2 filter).

    The difference is taken first, because it is exact, also in bfloat16.
    """

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
        gates, outs, local = (
            _double_filter_rows(gates),
            2 * outs,
            condition.unflatten(1, (len(dilations), -1)),
        )
        ctx.dilations, saved = dilations, [gates, outs]
        skip_sum, outputs = biases[:, residual:].sum(0).repeat(1, len(x) * x.shape[2]), []
        at_once = gates.dtype == torch.bfloat16
        x = x.transpose(0, 1).flatten(1)
        for i, dilation in enumerate(dilations):
            taps = _taps(x, dilation, sizes, gates.dtype)
            sigmoids = gates[i] @ taps
            sigmoids.view(-1, *sizes).add_(local[:, i].transpose(0, 1).unsqueeze(-1)).sigmoid_()
            filter_sigmoid, gate = sigmoids.chunk(2)
            z = (filter_sigmoid - 0.5).mul_(gate)
            if at_once:
                outputs.append(z)
                x = x + torch.addmm(biases[i, :residual], outs[i, :residual], z)
            else:
                skip_sum.addmm_(outs[i, residual:], z)
                x = torch.add(x, biases[i, :residual]).addmm_(outs[i, :residual], z)
            saved += [taps, sigmoids, z] if any(ctx.needs_input_grad) else []
        if at_once:
            skip_sum.addmm_(outs[:, residual:].transpose(0, 1).flatten(1), torch.cat(outputs))
        ctx.save_for_backward(*saved)
        return skip_sum.unflatten(1, (sizes.batch, -1))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        gates, outs, *saved = ctx.saved_tensors
        residual, sizes = gates.shape[1] // 2, ctx.sizes
        grad_out = torch.cat([gradient.new_zeros(residual, gradient[0].numel()), gradient.flatten(1)])
        # The gradient of x accumulates in place, in float32 besides grad_out if that is bfloat16.
        grad_x = grad_out[:residual]
        if grad_out.dtype == torch.bfloat16:
            grad_x = grad_x.float()
        grad_gates, grad_outs = torch.empty_like(gates), torch.empty_like(outs)
        grad_biases = grad_out.sum(1, keepdim=True).repeat(len(gates), 1, 1)
        grad_condition = gates.new_empty(sizes.batch, len(gates), 2 * residual, sizes.frames)
        for i in reversed(range(len(gates))):
            taps, sigmoids, z = saved[3 * i : 3 * i + 3]
            if grad_x.dtype != grad_out.dtype:
                grad_out[:residual] = grad_x
            grad_biases[i, :residual] = grad_x.sum(1, keepdim=True)
            torch.mm(grad_out, z.t(), out=grad_outs[i])
            grad_a = _gate_backward(outs[i].t() @ grad_out, sigmoids)
            grad_condition[:, i] = grad_a.view(-1, *sizes).sum(-1).transpose(0, 1)
            torch.mm(grad_a, taps.t(), out=grad_gates[i])
            _taps_backward(grad_x, gates[i].t() @ grad_a, ctx.dilations[i], sizes)
        grad_x = grad_x.unflatten(1, (sizes.batch, -1)).transpose(0, 1)
        return (
            grad_x,
            grad_condition.flatten(1, 2),
            _double_filter_rows(grad_gates),
            2 * grad_outs,
            grad_biases,
            None,
        )


def _double_filter_rows(gates: Tensor) -> Tensor:
    """Gates (layers, 2 R, 2 R) with doubled filter rows, because tanh(a) = 2 sigmoid(2a) - 1."""
    filters, others = gates.chunk(2, dim=1)
    return torch.cat([2 * filters, others], dim=1)


def _taps(x: Tensor, dilation: int, sizes: Sizes, dtype: torch.dtype) -> Tensor:
    """The samples `dilation` earlier, stacked on the samples: (R, B T) to (2 R, B T), of type `dtype`."""
    taps = x.new_empty(2, len(x), sizes.batch, sizes.frames * sizes.hop, dtype=dtype)
    taps[1] = x.view_as(taps[1])
    taps[0, ..., :dilation] = 0
    taps[0, ..., dilation:] = taps[1, ..., : max(taps.shape[-1] - dilation, 0)]
    return taps.view(-1, x.shape[1])


def _gate_backward(grad_z: Tensor, sigmoids: Tensor) -> Tensor:
    """Gradient of the sigmoids' input: gradient of z (R, B T) and sigmoids (2 R, B T) to (2 R, B T)."""
    filter_sigmoid, gate = sigmoids.chunk(2)
    grad_sigmoids = torch.empty_like(sigmoids)
    torch.mul(grad_z, gate, out=grad_sigmoids[: len(gate)])
    torch.sub(filter_sigmoid, 0.5, out=grad_sigmoids[len(gate) :]).mul_(grad_z)
    return torch.ops.aten.sigmoid_backward.grad_input(grad_sigmoids, sigmoids, grad_input=grad_sigmoids)


def _taps_backward(grad_x: Tensor, grad_taps: Tensor, dilation: int, sizes: Sizes) -> None:
    """Add the gradient of the taps, (2 R, B T), to the gradient of the layer's input, (R, B T), in place."""
    past, present = grad_taps.view(2, len(grad_x), sizes.batch, -1)
    present_input = grad_x.view_as(present)
    present_input += present
    present_input[..., : max(present_input.shape[-1] - dilation, 0)] += past[..., dilation:]
