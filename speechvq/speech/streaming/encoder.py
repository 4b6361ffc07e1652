"""The encoder on a stream: waveform to vectors before quantization."""

import math
from typing import cast

import numpy as np
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.mel import ENERGY_FLOOR, FFT, WINDOW
from speechvq.audio.mulaw import INPUT_GAIN
from speechvq.normalization import BatchRenorm
from speechvq.speech.encoder.encoder import Encoder, ResidualBlock
from speechvq.speech.streaming.layer_kernels import residual_block
from speechvq.speech.streaming.layers import (
    Context,
    ConvStream,
    Joined,
    Linear,
    as_array,
    frame_conv_stream,
    pack,
    relu,
)
from speechvq.speech.streaming.statistics import RunningMean


class SpectrumStream:
    """Log-mel spectra of a stream; a spectrum comes when the last sample of its window has come."""

    def __init__(self, encoder: Encoder) -> None:
        """
        Args:
            encoder: with a mel front end.
        """
        assert encoder.frontend is not None
        spectrum = encoder.frontend.spectrum
        self._filters = Linear(spectrum.filters.T, None)
        # `LogMel` pads the window to the length of the FFT, and divides by the root of that length.
        before = (FFT - WINDOW) // 2
        padded = F.pad(spectrum.window, (before, FFT - WINDOW - before)) / math.sqrt(FFT)
        self._window = as_array(padded)
        self._preemphasis, self._gain = encoder.mulaw.preemphasis, encoder.mulaw.gain * INPUT_GAIN
        self.hop = spectrum.hop
        self.future = (WINDOW - self.hop) // 2  # samples after the hop that its spectrum depends on
        self._last = np.zeros(1, np.float32)
        self._kept = np.zeros((FFT - self.hop) // 2, np.float32)

    def push(self, wave: np.ndarray) -> np.ndarray:
        """Spectra (n, M) of the hops that are complete now, from samples (T,) at the level of training."""
        before, hop = (FFT - self.hop) // 2, self.hop
        earlier = np.concatenate([self._last, wave])
        self._last = earlier[-1:]
        emphasized = np.float32(self._gain) * (wave - np.float32(self._preemphasis) * earlier[:-1])
        self._kept = np.concatenate([self._kept, emphasized])
        count = max((len(self._kept) - before - self.future) // hop, 0)
        # The FFT is longer than the window: what follows the window has no effect.
        part = np.zeros(FFT + count * hop, np.float32)
        known = self._kept[: before + count * hop + self.future]
        part[: len(known)] = known
        frames = np.lib.stride_tricks.sliding_window_view(part, FFT)[::hop][:count]
        self._kept = self._kept[count * hop :]
        spectra = np.fft.rfft(frames * self._window)
        energies = self._filters(np.square(spectra.real) + np.square(spectra.imag))
        return np.log(energies + np.float32(ENERGY_FLOOR))


class EncoderStream:
    """Spectra to vectors; the vector of a frame comes `lookahead` frames later."""

    def __init__(self, encoder: Encoder, prior: np.ndarray) -> None:
        """
        Args:
            encoder: reads log-mel spectra, has one stride, and a limited look-ahead.
            prior: (M,), mean spectrum before there is any speech.
        """
        assert encoder.frontend is not None and encoder.cepstrum is not None
        self._mean = RunningMean(prior)
        self._normalize_input = Normalization(encoder.frontend.norm)
        self._normalize_output = Normalization(encoder.norm)
        (layer,) = encoder.layers
        self._layer = ConvStream(layer.weight, layer.bias, dilation=1, past=1, lookahead=0)
        blocks = cast("list[ResidualBlock]", list(encoder.blocks))
        self._blocks = [ResidualStream(block) for block in blocks]
        self._project = pointwise(encoder.project)
        self._cepstrum = frame_conv_stream(encoder.cepstrum)
        self._joined = Joined()
        self.lookahead = max(sum(block.wide.around[1] for block in blocks), encoder.cepstrum.around[1])

    def push(self, spectra: np.ndarray) -> np.ndarray:
        """Vectors (m, D) of the frames that are complete now, from the next spectra (n, M)."""
        inputs = self._normalize_input(spectra - self._mean.push(spectra))
        x = relu(self._layer.push(inputs))
        for block in self._blocks:
            x = block.push(x)
        first, second = self._joined.push(self._project(relu(x)), self._cepstrum.push(inputs))
        return self._normalize_output(first + second)


class ResidualStream:
    """A `ResidualBlock` on a stream."""

    def __init__(self, block: ResidualBlock) -> None:
        """
        Args:
            block: with limited look-ahead.
        """
        wide, narrow = block.wide, block.narrow
        self._context, self._dilation = Context(wide.in_channels, *wide.around), wide.dilation[0]
        self._wide, self._narrow = pack(wide.weight, wide.bias), pack(narrow.weight, narrow.bias)

    def push(self, x: np.ndarray) -> np.ndarray:
        """Outputs of the frames that are complete now: (n, C) to (m, C)."""
        context = self._context
        return residual_block(context.push(x), context.past, self._dilation, self._wide, self._narrow)


class Normalization:
    """A `BatchRenorm` in evaluation."""

    def __init__(self, norm: BatchRenorm) -> None:
        """
        Args:
            norm: with its running statistics.
        """
        self._mean, self._deviation = as_array(norm.running_mean), as_array(norm.running_var.sqrt())

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, D) to (n, D)."""
        return (x - self._mean) / self._deviation


def pointwise(layer: nn.Conv1d) -> Linear:
    """A convolution of width 1."""
    return Linear(layer.weight[..., 0], layer.bias)


class NearestCode:
    """Codebook entries nearest to vectors, see `quantizer.nearest_code`."""

    def __init__(self, codebook: Tensor) -> None:
        """
        Args:
            codebook: (K, D).
        """
        self._scores = Linear(codebook, -0.5 * codebook.square().sum(-1))
        self._entries = as_array(codebook)

    def __call__(self, vectors: np.ndarray) -> np.ndarray:
        """Entries (n, D) for vectors (n, D)."""
        return self._entries[self._scores(vectors).argmax(axis=1)]
