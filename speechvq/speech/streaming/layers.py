"""Streaming forms of convolutions over frames; together their outputs equal those of the whole sequence."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.speech.frame_network import FrameConv, FrameNetwork


class ConvStream:
    """A convolution over frames, given frames as they come.

    The output of a frame comes when the last frame that it depends on has come: `lookahead` frames later.
    """

    def __init__(
        self, convolve: Callable[[Tensor], Tensor], channels: int, past: int, lookahead: int
    ) -> None:
        """
        Args:
            convolve: without padding; (1, C, n) to (1, C', n - past - lookahead).
            channels: C.
            past: earlier frames that an output depends on; zeros before the first frame.
            lookahead: later frames that an output depends on.
        """
        self.convolve, self.context, self.lookahead = convolve, past + lookahead, lookahead
        self._kept = torch.zeros(1, channels, past)

    def push(self, x: Tensor) -> Tensor:
        """Outputs of the frames that are complete now: (1, C, n) to (1, C', m)."""
        x = torch.cat([self._kept.to(x), x], dim=2)
        self._kept = x[..., max(x.shape[2] - self.context, 0) :]
        if x.shape[2] <= self.context:
            return self.convolve(x.new_zeros(1, x.shape[1], self.context + 1))[..., :0]
        return self.convolve(x)


class Delay:
    """Frames, each returned a number of frames later, to go with the output of a layer."""

    def __init__(self, frames: int) -> None:
        """
        Args:
            frames: the delay.
        """
        self.frames = frames
        self._kept: Tensor | None = None

    def push(self, x: Tensor) -> Tensor:
        """Frames that have been delayed: (1, C, n) to (1, C, m)."""
        x = x if self._kept is None else torch.cat([self._kept, x], dim=2)
        count = max(x.shape[2] - self.frames, 0)
        self._kept = x[..., count:]
        return x[..., :count]


class Joined:
    """Two sequences of frames that are needed together; what one is ahead of the other waits."""

    def __init__(self) -> None:
        self._kept: tuple[Tensor, Tensor] | None = None

    def push(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """Equal numbers of frames of both, (1, C, m), from the next frames of each, (1, C, n)."""
        if self._kept is not None:
            first = torch.cat([self._kept[0], first], dim=2)
            second = torch.cat([self._kept[1], second], dim=2)
        count = min(first.shape[2], second.shape[2])
        self._kept = first[..., count:], second[..., count:]
        return first[..., :count], second[..., :count]


def pointwise(layer: nn.Conv1d, x: Tensor) -> Tensor:
    """A convolution of width 1, also of no frames: (1, C, n) to (1, C', n)."""
    assert layer.bias is not None
    return layer.weight[..., 0] @ x + layer.bias[:, None]


def frame_conv_stream(layer: FrameConv) -> ConvStream:
    """A convolution over frames as a stream."""
    return ConvStream(
        lambda x: F.conv1d(x, layer.weight, layer.bias, dilation=layer.dilation[0]),
        layer.in_channels,
        *layer.around,
    )


class FrameNetworkStream:
    """A `FrameNetwork` on a stream."""

    def __init__(self, network: FrameNetwork) -> None:
        """
        Args:
            network: with limited look-ahead.
        """
        self._layers = [(frame_conv_stream(layer), Delay(layer.around[1])) for layer in network.layers]
        self.lookahead = sum(layer.around[1] for layer in network.layers)

    def push(self, inputs: Tensor) -> Tensor:
        """Outputs (1, C, m) of the frames that are complete now.

        Args:
            inputs: (1, D + V + 2, n), joined as in `FrameNetwork.forward`.
        """
        x = inputs
        for i, (conv, delay) in enumerate(self._layers):
            y, kept = conv.push(x), delay.push(x)
            x = F.relu(y if i == 0 else kept + y)
        return x
