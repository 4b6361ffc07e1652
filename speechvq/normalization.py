"""Unit scale for what is quantised."""

import torch
from torch import Tensor, nn

from speechvq.runtime import distributed

FLOOR = 1e-5  # smallest variance


class BatchRenorm(nn.Module):
    """Batch renormalisation (Ioffe 2017, arXiv 1702.03275) of the last axis, without weights or bounds.

    Forward it subtracts the running mean and divides by the running deviation, in training as in use;
    backward it is batch normalisation. Our choice before the quantiser (batch normalisation there: Lancucki
    et al. 2020). A decoder that does not understand the codes yet pushes all of the encoder's outputs the
    same way, and without this within ten steps they are one point and all codes are one code. This takes the
    common part out of the gradient.

    With several processes the statistics are those of the joined batch.

    Buffers:
        initialised: (), bool; the first training batch gives the first running values.
        mean, variance: (D,), running.
    """

    initialised: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(self, dim: int, momentum: float = 0.05) -> None:
        super().__init__()
        self.momentum = momentum
        self.register_buffer("initialised", torch.tensor(False))
        self.register_buffer("mean", torch.zeros(dim))
        self.register_buffer("variance", torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        """(..., D) to (..., D), float32."""
        x = x.float()
        if not self.training:
            return (x - self.mean) / self.variance.sqrt()
        rows = x.flatten(0, -2)
        mean = _mean_over_processes(rows.mean(0))
        variance = _mean_over_processes((rows - mean).square().mean(0)) + FLOOR
        self._follow(mean.detach(), variance.detach())
        scale = (variance / self.variance).sqrt().detach()
        shift = ((mean - self.mean) / self.variance.sqrt()).detach()
        return (x - mean) / variance.sqrt() * scale + shift

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        if not (mean.isfinite().all() and variance.isfinite().all()):
            return
        momentum = self.momentum if self.initialised else 1.0
        self.mean.lerp_(mean, momentum)
        self.variance.lerp_(variance, momentum)
        self.initialised.fill_(True)


def _mean_over_processes(x: Tensor) -> Tensor:
    """Mean over processes that gradients flow back through; any shape."""
    if distributed.world_size() == 1:
        return x
    return distributed.differentiable_sum(x) / distributed.world_size()
