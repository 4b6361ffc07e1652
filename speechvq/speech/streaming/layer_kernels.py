"""Layers over frames in numba, for a few frames at a time: a layer is one call, which reads its weights once.

In numpy or torch a layer is a dozen calls. For two frames each of them takes longer than its arithmetic.

All arrays are float32 in C order. An output is the same number however many frames come together. In the
shapes, P is the number of earlier and L that of later frames that an output depends on.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from speechvq.speech.sampling.kernels import LOG2_E, START, exp2
from speechvq.speech.sampling.matmul_kernels import NARROW, OPTIONS, add_product, noinline

# A literal number would be another type to numba, and compiled once more.
_WIDTH, _ONE = np.int64(NARROW), np.int64(1)


class Weights(NamedTuple):
    """Weights of a convolution over frames, or of a linear layer, which has one tap."""

    panels: np.ndarray  # (taps, size), each row from `pack_panels` with NARROW
    bias: np.ndarray  # (C',)


class ConvNeXtWeights(NamedTuple):
    """Weights of a `ConvNeXtLayer`, with those of its normalization and its scale folded into the others."""

    taps: np.ndarray  # (P + 1 + L, C), of the convolution of each channel
    bias: np.ndarray  # (C,)
    expand: Weights
    project: Weights


@njit(**OPTIONS)
def convolve(x, dilation, weights):  # type: ignore[no-untyped-def]
    """Convolution of frames (P + n + L, C): (n, C'); none if there are fewer frames than P + L."""
    noinline()
    taps, outputs, channels = len(weights.panels), len(weights.bias), x.shape[1]
    count, width = max(len(x) - dilation * (taps - 1), 0), (outputs + _WIDTH - 1) // _WIDTH * _WIDTH
    y, flat = np.zeros((count, width), np.float32), x.reshape(-1)
    for t in range(count):
        for n in range(outputs):
            y[t, n] = weights.bias[n]
    for tap in range(taps):
        add_product(
            y.reshape(-1),
            START,
            width,
            flat,
            tap * dilation * channels,
            channels,
            weights.panels[tap],
            START,
            channels,
            outputs,
            count,
            _WIDTH,
        )
    return y if width == outputs else y[:, :outputs].copy()


@njit(**OPTIONS)
def frame_layer(x, past, dilation, weights):  # type: ignore[no-untyped-def]
    """A layer of a `FrameNetwork`: (P + n + L, C) to (n, C)."""
    y = convolve(x, dilation, weights)
    for t in range(len(y)):
        for c in range(y.shape[1]):
            y[t, c] = max(y[t, c] + x[past + t, c], np.float32(0))
    return y


@njit(**OPTIONS)
def residual_block(x, past, dilation, wide, narrow):  # type: ignore[no-untyped-def]
    """A `ResidualBlock` of the encoder: (P + n + L, C) to (n, C)."""
    hidden = convolve(_positive(x), dilation, wide)
    y = convolve(_positive(hidden), _ONE, narrow)
    for t in range(len(y)):
        for c in range(y.shape[1]):
            y[t, c] += x[past + t, c]
    return y


@njit(**OPTIONS)
def convnext_layer(x, past, epsilon, weights):  # type: ignore[no-untyped-def]
    """A `ConvNeXtLayer`: (P + n + L, C) to (n, C).

    Args:
        x: the frames.
        past: P.
        epsilon: of the normalization.
        weights: a ConvNeXtWeights.
    """
    taps, channels = len(weights.taps), x.shape[1]
    convolved = np.empty((max(len(x) - taps + 1, 0), channels), np.float32)
    for t in range(len(convolved)):
        row = convolved[t]
        for c in range(channels):
            row[c] = weights.bias[c]
        for tap in range(taps):
            for c in range(channels):
                row[c] += weights.taps[tap, c] * x[t + tap, c]
    standardize(convolved, epsilon)
    hidden = convolve(convolved, _ONE, weights.expand)
    _gelu(hidden.reshape(-1))
    y = convolve(hidden, _ONE, weights.project)
    for t in range(len(y)):
        for c in range(channels):
            y[t, c] += x[past + t, c]
    return y


@njit(**OPTIONS)
def standardize(x, epsilon):  # type: ignore[no-untyped-def]
    """Bring each row (n, C) to mean 0 and variance 1, in place; epsilon is added to the variance."""
    noinline()
    for t in range(len(x)):
        row, total, square = x[t], np.float32(0), np.float32(0)
        for c in range(len(row)):
            total += row[c]
        mean = total / np.float32(len(row))
        for c in range(len(row)):
            row[c] -= mean
            square += row[c] * row[c]
        factor = np.float32(1) / np.sqrt(square / np.float32(len(row)) + np.float32(epsilon))
        for c in range(len(row)):
            row[c] *= factor


@njit(**OPTIONS)
def _positive(x):  # type: ignore[no-untyped-def]
    """Positive part, (n, C)."""
    y = np.empty_like(x)
    for t in range(x.shape[0]):
        for c in range(x.shape[1]):
            y[t, c] = max(x[t, c], np.float32(0))
    return y


@njit(**OPTIONS)
def _gelu(x):  # type: ignore[no-untyped-def]
    """x times the normal distribution function of x, in place, (n,).

    The polynomial is formula 7.1.26 of Abramowitz and Stegun (1964), whose error is below 1.5e-7. Unlike the
    function of libm, the compiler can vectorize it.
    """
    noinline()
    for i in range(len(x)):
        size = np.abs(x[i]) * np.float32(0.70710678)
        t = np.float32(1) / (np.float32(1) + np.float32(0.3275911) * size)
        p = np.float32(1.061405429)
        p = p * t - np.float32(1.453152027)
        p = p * t + np.float32(1.421413741)
        p = p * t - np.float32(0.284496736)
        p = p * t + np.float32(0.254829592)
        tail = np.float32(0.5) * p * t * exp2(-LOG2_E * size * size)  # of the distribution beyond |x|
        x[i] *= tail if x[i] < 0 else np.float32(1) - tail
