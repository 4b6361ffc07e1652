"""Streaming forms of layers over frames; together their outputs equal those of the whole sequence.

A few frames come at a time, so the time of a layer is that of reading its weights. They are packed for the
kernel of the sampler, which reads them once from end to end. An output is the same number however many frames
come together.
"""

import numpy as np
from torch import Tensor

from speechvq.speech.frame_network import FrameConv, FrameNetwork
from speechvq.speech.sampling.matmul_kernels import NARROW, pack_panels
from speechvq.speech.streaming.layer_kernels import Weights, convolve, frame_layer


def as_array(x: Tensor) -> np.ndarray:
    """A tensor as float32 in C order, without a copy where it is that already."""
    return np.ascontiguousarray(x.detach().numpy(), np.float32)


def pack(weight: Tensor, bias: Tensor | None) -> Weights:
    """Weights for the kernels.

    Args:
        weight: (C', C, taps), of a convolution, or (C', C).
        bias: (C',), or None.
    """
    taps = as_array(weight if weight.ndim == 3 else weight[..., None]).transpose(2, 1, 0)
    panels = np.stack([pack_panels(tap, NARROW) for tap in taps])
    return Weights(panels, np.zeros(len(weight), np.float32) if bias is None else as_array(bias))


class Linear:
    """A matrix product with a bias, for a few rows at a time."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        """
        Args:
            weight: (O, I).
            bias: (O,), or None.
        """
        self._weights = pack(weight, bias)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, I) to (n, O), float32."""
        return convolve(np.ascontiguousarray(x, np.float32), 1, self._weights)


class Context:
    """The frames around those whose outputs come next.

    The output of a frame comes when the last frame that it depends on has come: `future` frames later.
    """

    def __init__(self, channels: int, past: int, future: int) -> None:
        """
        Args:
            channels: C.
            past: earlier frames that an output depends on; zeros before the first frame.
            future: later frames that an output depends on.
        """
        self.past, self.future = past, future
        self._kept = np.zeros((past, channels), np.float32)

    def push(self, x: np.ndarray) -> np.ndarray:
        """The next m frames whose outputs are complete, with those around them.

        Args:
            x: (n, C), the next frames.

        Returns:
            (past + m + future, C); fewer if m is 0.
        """
        joined = np.concatenate([self._kept, x])
        self._kept = joined[max(len(joined) - self.past - self.future, 0) :]
        return joined


class ConvStream:
    """A convolution over frames, given frames as they come."""

    def __init__(self, weight: Tensor, bias: Tensor | None, dilation: int, past: int, lookahead: int) -> None:
        """
        Args:
            weight: (C', C, taps).
            bias: (C',), or None.
            dilation: frames between the inputs of an output.
            past, lookahead: earlier and later frames that an output depends on.
        """
        self._weights, self._dilation = pack(weight, bias), dilation
        self._context = Context(weight.shape[1], past, lookahead)

    def push(self, x: np.ndarray) -> np.ndarray:
        """Outputs of the frames that are complete now: (n, C) to (m, C')."""
        return convolve(self._context.push(x), self._dilation, self._weights)


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
        first, *others = network.layers
        self._first = frame_conv_stream(first)
        self._layers = [
            (Context(layer.in_channels, *layer.around), layer.dilation[0], pack(layer.weight, layer.bias))
            for layer in others
        ]
        self.lookahead = sum(layer.around[1] for layer in network.layers)

    def push(self, inputs: np.ndarray) -> np.ndarray:
        """Outputs (m, C) of the frames that are complete now.

        Args:
            inputs: (n, D + V + 2), joined as in `FrameNetwork.forward`.
        """
        x = relu(self._first.push(inputs))
        for context, dilation, weights in self._layers:
            x = frame_layer(context.push(x), context.past, dilation, weights)
        return x
