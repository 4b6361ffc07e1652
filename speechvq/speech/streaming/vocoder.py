"""The vocoder on a stream: source-filter signal to waveform."""

import numpy as np
from torch import Tensor, nn

from speechvq.speech.source_filter.source_filter import FRAME_SAMPLES
from speechvq.speech.streaming.layer_kernels import ConvNeXtWeights, convnext_layer, standardize
from speechvq.speech.streaming.layers import Context, Delay, Linear, as_array, pack
from speechvq.speech.vocoder.vocoder import (
    COMPRESSION,
    FFT,
    MAX_LOG_GAIN,
    MIN_FREQUENCY_BIN,
    ConvNeXtLayer,
    Vocoder,
)


class VocoderStream:
    """A `Vocoder` on a stream."""

    def __init__(self, vocoder: Vocoder) -> None:
        """
        Args:
            vocoder: the vocoder.
        """
        self._window = as_array(vocoder.window)
        self._before = (FFT - FRAME_SAMPLES) // 2  # samples of a frame before its hop
        self._source = np.zeros(self._before, np.float32)
        self._conditions = np.empty((0, vocoder.inputs.in_channels - FFT - 2), np.float32)
        self._inputs = Linear(vocoder.inputs.weight[..., 0], vocoder.inputs.bias)
        self._norm, self._output_norm = LayerNorm(vocoder.norm), LayerNorm(vocoder.output_norm)
        self._layers = [ConvNeXtStream(layer) for layer in vocoder.layers]
        self._head = Linear(vocoder.head.weight, vocoder.head.bias)
        self._spectra = Delay(sum(layer.padding[1] for layer in vocoder.layers))
        self._sum, self._weight = np.zeros(FFT, np.float32), np.zeros(FFT, np.float32)
        self._skip = self._before  # samples before the beginning that are still in the sums

    def push(self, source: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        """Waveform (T',), pre-emphasized, that is complete now.

        Args:
            source: (T,), the next samples of the signal.
            conditions: (n, M + 2 + V), of the next frames, as `Vocoder.forward` joins them.
        """
        self._source = np.concatenate([self._source, source])
        self._conditions = np.concatenate([self._conditions, conditions])
        count = max((len(self._source) - FFT) // FRAME_SAMPLES + 1, 0)
        count = min(count, len(self._conditions))
        if not count:
            return np.empty(0, np.float32)
        frames = np.lib.stride_tricks.sliding_window_view(self._source, FFT)[::FRAME_SAMPLES][:count]
        spectra = np.fft.rfft(frames * self._window).astype(np.complex64)
        read = compressed(spectra)
        x = np.concatenate([read.real, read.imag, self._conditions[:count]], axis=1)
        x = self._norm(self._inputs(x))
        self._source = self._source[count * FRAME_SAMPLES :]
        self._conditions = self._conditions[count:]
        for layer in self._layers:
            x = layer.push(x)
        found = factors(self._head(self._output_norm(x)))
        return self._overlap_add(self._spectra.push(spectra) * found)

    def _overlap_add(self, spectra: np.ndarray) -> np.ndarray:
        """Samples that no later frame adds to, from the next frames (n, bins)."""
        parts = [np.empty(0, np.float32)]
        square = np.square(self._window)
        for frame in np.fft.irfft(spectra, FFT).astype(np.float32) * self._window:
            self._sum += frame
            self._weight += square
            parts.append(
                self._sum[:FRAME_SAMPLES] / np.maximum(self._weight[:FRAME_SAMPLES], np.float32(1e-3))
            )
            for each in (self._sum, self._weight):
                each[:-FRAME_SAMPLES] = each[FRAME_SAMPLES:]
                each[-FRAME_SAMPLES:] = 0
        wave = np.concatenate(parts)
        skipped = min(self._skip, len(wave))
        self._skip -= skipped
        return wave[skipped:]


class ConvNeXtStream:
    """A `ConvNeXtLayer` on a stream."""

    def __init__(self, layer: ConvNeXtLayer) -> None:
        """
        Args:
            layer: the layer.
        """
        convolution, project, scale = layer.depthwise, layer.project, layer.scale
        assert convolution.bias is not None
        self._context = Context(convolution.in_channels, *layer.padding)
        self._epsilon = layer.norm.eps
        self._weights = ConvNeXtWeights(
            as_array(convolution.weight[:, 0].T),
            as_array(convolution.bias),
            pack(*_folded(layer.norm, layer.expand)),
            pack(scale[:, None] * project.weight, scale * project.bias),
        )

    def push(self, x: np.ndarray) -> np.ndarray:
        """Outputs of the frames that are complete now: (n, C) to (m, C)."""
        return convnext_layer(self._context.push(x), self._context.past, self._epsilon, self._weights)


class LayerNorm:
    """An `nn.LayerNorm` of rows."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        """
        Args:
            norm: of the last axis.
        """
        self._weight, self._bias, self._epsilon = as_array(norm.weight), as_array(norm.bias), norm.eps

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, C) to (n, C); `x` is overwritten."""
        standardize(x, self._epsilon)
        return x * self._weight + self._bias


def compressed(spectra: np.ndarray) -> np.ndarray:
    """As `Vocoder.compress`: complex, any shape."""
    return spectra * np.maximum(np.abs(spectra), np.float32(1e-5)) ** np.float32(COMPRESSION - 1)


def factors(outputs: np.ndarray) -> np.ndarray:
    """As `Vocoder.factors_of`: (n, 2 bins) to (n, bins), complex."""
    log_gain, angle = np.split(outputs, 2, axis=1)
    gain = np.exp(MAX_LOG_GAIN * np.tanh(log_gain / MAX_LOG_GAIN))
    gain[:, :MIN_FREQUENCY_BIN] = 0
    return gain * np.cos(angle) + 1j * (gain * np.sin(angle))


def _folded(norm: nn.LayerNorm, linear: nn.Linear) -> tuple[Tensor, Tensor]:
    """Weight and bias of a linear layer after a normalization, for inputs that are only standardized."""
    return linear.weight * norm.weight, linear.bias + linear.weight @ norm.bias
