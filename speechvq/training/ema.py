"""Averaged weights: a slow copy of the model that is evaluated and exported."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn


class EMA:
    """Exponential moving average of every floating tensor of a model; other buffers are copied.

    The memory grows with the steps, min(decay, (1 + t) / (10 + t)), so that early evaluations are not of
    noise.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after training step `step`."""
        share = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, share)
            else:
                self.tensors[name].copy_(tensor)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the average up from a checkpoint."""
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)
