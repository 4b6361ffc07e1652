"""Unit scale for what is quantised."""

import torch
from torch import Tensor, nn

from speechvq.runtime import distributed

EPS = 1e-5  # smallest variance


class BatchRenorm(nn.Module):
    """Batch renormalisation (Ioffe 2017, arXiv 1702.03275) of the last axis, without weights or bounds.

    Forward it subtracts the running mean and divides by the running deviation, in training as in use;
    backward it is batch normalisation. Our choice before the quantiser (batch normalisation there: Lancucki
    et al. 2020). A decoder that does not understand the codes yet pushes all of the encoder's outputs the
    same way, and without this within ten steps they are one point and all codes are one code. This takes the
    common part out of the gradient.

    With several processes the statistics are those of the joined batch.

    Buffers:
        initialized: (), bool; the first training batch gives the first running values.
        mean, variance: (D,), running.
    """

    initialized: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, dim: int, momentum: float = 0.05) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("initialized", torch.tensor(False))
        self.register_buffer("running_mean", torch.zeros(dim))
        self.register_buffer("running_var", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D), float32."""
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
        if not (mean.isfinite().all() and variance.isfinite().all()):
            return
        momentum = self.momentum if self.initialized else 1.0
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance, momentum)
        self.initialized.fill_(True)


def _mean_over_processes(x: Tensor) -> Tensor:
    """Mean over processes that gradients flow back through; any shape."""
    if distributed.world_size() == 1:
        return x
    return distributed.differentiable_sum(x) / distributed.world_size()
