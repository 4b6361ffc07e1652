"""Batch renormalization of vectors before quantization."""

import torch
from torch import Tensor, nn

from speechvq.runtime import distributed

EPS = 1e-5  # added to the variance


class BatchRenorm(nn.Module):
    """Batch renormalization (Ioffe 2017, arXiv 1702.03275) of the last axis, without weights or limits.

    The forward pass subtracts the running mean and divides by the running standard deviation, in training and
    in evaluation. The backward pass is that of batch normalization. With several processes the statistics are
    those of the combined batch.

    It stands before the quantizer (our choice; batch normalization there: Lancucki et al. 2020). A decoder
    that does not use the codes yet pushes all encoder outputs in the same direction, and within ten steps
    they collapse to one point with one code. The backward pass removes this common gradient.

    Buffers:
        initialized: (), bool; False until the first training batch sets the running statistics.
        running_mean, running_var: (D,).
    """

    initialized: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, dim: int, momentum: float = 0.05) -> None:
        """
        Args:
            dim: D.
            momentum: weight of a new batch in the running statistics, 0 to 1.
        """
        super().__init__()
        self.momentum = momentum
        self.register_buffer("initialized", torch.tensor(False))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """Normalize vectors: (..., D), any floating-point type, to (..., D), float32."""
        x = x.float()
        if not self.training:
            return (x - self.running_mean) / self.running_var.sqrt()
        rows = x.flatten(0, -2)
        mean = _mean_over_processes(rows.mean(0))
        variance = _mean_over_processes((rows - mean).square().mean(0)) + EPS
        self._update_running_stats(mean.detach(), variance.detach())
        scale = (variance / self.running_var).sqrt().detach()
        shift = ((mean - self.running_mean) / self.running_var.sqrt()).detach()
        return (x - mean) / variance.sqrt() * scale + shift

    @torch.no_grad()
    def _update_running_stats(self, mean: Tensor, variance: Tensor) -> None:
        """Move the running statistics, (D,) each, towards those of a batch, unless these hold NaN or Inf.

        Without a branch on values, so that a GPU need not wait and a CUDA graph can hold it.
        """
        is_finite = mean.isfinite().all() & variance.isfinite().all()
        momentum = torch.where(self.initialized, self.momentum, 1.0).to(mean.dtype)
        for running, batch in ((self.running_mean, mean), (self.running_var, variance)):
            running.copy_(torch.where(is_finite, running.lerp(batch, momentum), running))
        self.initialized |= is_finite


def _mean_over_processes(x: Tensor) -> Tensor:
    """Mean over all processes, with gradients; any shape."""
    if distributed.world_size() == 1:
        return x
    return distributed.differentiable_all_reduce(x) / distributed.world_size()
