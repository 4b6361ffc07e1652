"""Streaming forms of layers over frames; together their outputs equal those of the whole sequence.

A few frames come at a time, so the time of a layer is that of reading its weights. They are packed for the
kernel of the sampler, which reads them once from end to end. An output is the same number however many frames
come together.
"""

import numpy as np
from torch import Tensor

from speechvq.speech.frame_network import FrameConv, FrameNetwork
from speechvq.speech.sampling.matmul_kernels import NARROW, add_product, pack_panels


def as_array(x: Tensor) -> np.ndarray:
    """A tensor as float32 in C order, without a copy where it is that already."""
    return np.ascontiguousarray(x.detach().numpy(), np.float32)


class Linear:
    """A matrix product with a bias, for a few rows at a time."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """
        Args:
            weight: (O, I).
            bias: (O,), or None.
        """
        self.outputs, self._inputs = weight.shape
        self._panels = pack_panels(as_array(weight).T, NARROW)
        self._bias = np.zeros(-(-self.outputs // NARROW) * NARROW, np.float32)
        if bias is not None:
            self._bias[: self.outputs] = as_array(bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, I), float32, to (n, O)."""
        rows, width = len(x), len(self._bias)
        y = np.empty((rows, width), np.float32)
        y[:] = self._bias
        flat = np.ascontiguousarray(x, np.float32).reshape(-1)
        depth = self._inputs
        add_product(
            y.reshape(-1), 0, width, flat, 0, depth, self._panels, 0, depth, self.outputs, rows, NARROW
        )
        return y[:, : self.outputs]


class ConvStream:
    """A convolution over frames, given frames as they come.

    The output of a frame comes when the last frame that it depends on has come: `lookahead` frames later.
    """

    def __init__(self, weight: Tensor, bias: Tensor | None, dilation: int, past: int, lookahead: int) -> None:
        """
        Args:
            weight: (C', C, taps).
            bias: (C',), or None.
            dilation: frames between the inputs of an output.
            past: earlier frames that an output depends on; zeros before the first frame.
            lookahead: later frames that an output depends on.
        """
        self._linear = Linear(weight.transpose(1, 2).flatten(1), bias)
        self._taps, self._dilation, self._context = weight.shape[2], dilation, past + lookahead
        self._kept = np.zeros((past, weight.shape[1]), np.float32)

    def push(self, x: np.ndarray) -> np.ndarray:
        """Outputs of the frames that are complete now: (n, C) to (m, C')."""
        x = np.concatenate([self._kept, x])
        self._kept = x[max(len(x) - self._context, 0) :]
        count = max(len(x) - self._context, 0)
        starts = range(0, self._taps * self._dilation, self._dilation)
        return self._linear(np.concatenate([x[start : start + count] for start in starts], axis=1))


class Delay:
    """Frames, each returned a number of frames later, to go with the output of a layer."""

    def __init__(self, frames: int) -> None:
        """
        Args:
            frames: the delay.
        """
        self.frames = frames
        self._kept: np.ndarray | None = None

    def push(self, x: np.ndarray) -> np.ndarray:
        """Frames that have been delayed: (n, C) to (m, C)."""
        if not self.frames:
            return x
        x = x if self._kept is None else np.concatenate([self._kept, x])
        count = max(len(x) - self.frames, 0)
        self._kept = x[count:]
        return x[:count]


class Joined:
    """Two sequences of frames that are needed together; what one is ahead of the other waits."""

    def __init__(self) -> None:
        self._kept: tuple[np.ndarray, np.ndarray] | None = None

    def push(self, first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Equal numbers of frames of both, (m, C), from the next frames of each, (n, C)."""
        if self._kept is not None:
            first = np.concatenate([self._kept[0], first])
            second = np.concatenate([self._kept[1], second])
        count = min(len(first), len(second))
        self._kept = first[count:], second[count:]
        return first[:count], second[:count]


def frame_conv_stream(layer: FrameConv) -> ConvStream:
    """A convolution over frames as a stream."""
    return ConvStream(layer.weight, layer.bias, layer.dilation[0], *layer.around)


def relu(x: np.ndarray) -> np.ndarray:
    """Positive part; any shape."""
    return np.maximum(x, np.float32(0))


class FrameNetworkStream:
    """A `FrameNetwork` on a stream."""

    def __init__(self, network: FrameNetwork) -> None:
        """
        Args:
            network: with limited look-ahead.
        """
        self._layers = [(frame_conv_stream(layer), Delay(layer.around[1])) for layer in network.layers]
        self.lookahead = sum(layer.around[1] for layer in network.layers)

    def push(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs (m, C) of the frames that are complete now.

        Args:
            inputs: (n, D + V + 2), joined as in `FrameNetwork.forward`.
        """
        x = inputs
        for i, (conv, delay) in enumerate(self._layers):
            y, kept = conv.push(x), delay.push(x)
            x = relu(y if i == 0 else kept + y)
        return x
