"""Exponential moving average of a model's weights, which is evaluated and exported."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn


class EMA:
    """Exponential moving average of every floating-point tensor of a model; other buffers are copied.

    The effective decay after t steps is min(decay, (1 + t) / (10 + t)), so early evaluations do not measure
    the random initial weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Move towards the model's weights after training step `step`."""
        weight = 1 - min(self.decay, (1 + step) / (10 + step))
        for name, tensor in model.state_dict().items():
            if tensor.is_floating_point():
                self.tensors[name].lerp_(tensor, weight)
            else:
                self.tensors[name].copy_(tensor)

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Replace the averages by those of a checkpoint."""
        for name, tensor in tensors.items():
            self.tensors[name].copy_(tensor)


@contextmanager
def ema_weights(model: nn.Module, ema: EMA | None) -> Iterator[nn.Module]:
    """Yield the model with its averaged weights; its own weights are restored at the end.

    Args:
        model: changed in place.
        ema: its average; None leaves the model as it is.
    """
    if ema is None:
        yield model
        return
    live = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
    model.load_state_dict(ema.tensors)
    try:
        yield model
    finally:
        model.load_state_dict(live)
