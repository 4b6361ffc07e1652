"""The vocoder on a stream: source-filter signal to waveform."""

import numpy as np
import torch
from scipy.special import erf
from torch import nn

from speechvq.speech.source_filter.source_filter import FRAME_SAMPLES
from speechvq.speech.streaming.layers import Delay, Linear, as_array
from speechvq.speech.vocoder.vocoder import FFT, ConvNeXtLayer, Vocoder


class VocoderStream:
    """A `Vocoder` on a stream."""

    def __init__(self, vocoder: Vocoder) -> None:
        """
        Args:
            vocoder: the vocoder.
        """
        self._vocoder, self._window = vocoder, as_array(vocoder.window)
        self._before = (FFT - FRAME_SAMPLES) // 2  # samples of a frame before its hop
        self._source = np.zeros(self._before, np.float32)
        self._conditions = np.empty((0, vocoder.inputs.in_channels - FFT - 2), np.float32)
        self._inputs, self._norm = (
            Linear(vocoder.inputs.weight[..., 0], vocoder.inputs.bias),
            LayerNorm(vocoder.norm),
        )
        self._layers = [ConvNeXtStream(layer) for layer in vocoder.layers]
        self._output_norm, self._head = (
            LayerNorm(vocoder.output_norm),
            Linear(vocoder.head.weight, vocoder.head.bias),
        )
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
        compressed = self._vocoder.compress(torch.from_numpy(spectra)).numpy()
        x = np.concatenate([compressed.real, compressed.imag, self._conditions[:count]], axis=1)
        x = self._norm(self._inputs(x))
        self._source = self._source[count * FRAME_SAMPLES :]
        self._conditions = self._conditions[count:]
        for layer in self._layers:
            x = layer.push(x)
        outputs = torch.from_numpy(self._head(self._output_norm(x)))
        return self._overlap_add(self._spectra.push(spectra) * self._vocoder.factors_of(outputs).numpy())

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
        self._taps, self._bias = as_array(layer.depthwise.weight[:, 0].T), as_array(_bias(layer.depthwise))
        self._norm, self._scale = LayerNorm(layer.norm), as_array(layer.scale)
        self._expand = Linear(layer.expand.weight, layer.expand.bias)
        self._project = Linear(layer.project.weight, layer.project.bias)
        self._delay, self._context = Delay(layer.padding[1]), sum(layer.padding)
        self._kept = np.zeros((layer.padding[0], layer.depthwise.in_channels), np.float32)

    def push(self, x: np.ndarray) -> np.ndarray:
        """Outputs of the frames that are complete now: (n, C) to (m, C)."""
        joined = np.concatenate([self._kept, x])
        count = max(len(joined) - self._context, 0)
        self._kept = joined[count:]
        convolved = np.tile(self._bias, (count, 1))
        for start, weights in enumerate(self._taps):
            convolved += joined[start : start + count] * weights
        y = self._expand(self._norm(convolved))
        y *= np.float32(0.5) * (1 + erf(y * np.float32(0.5**0.5)))  # GELU
        return self._delay.push(x) + self._project(y) * self._scale


class LayerNorm:
    """An `nn.LayerNorm` of rows."""

    def __init__(self, norm: nn.LayerNorm) -> None:
        """
        Args:
            norm: of the last axis.
        """
        self._weight, self._bias, self._eps = as_array(norm.weight), as_array(norm.bias), np.float32(norm.eps)

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """(n, C) to (n, C)."""
        centered = x - x.mean(axis=1, keepdims=True)
        variance = np.square(centered).mean(axis=1, keepdims=True)
        return centered / np.sqrt(variance + self._eps) * self._weight + self._bias


def _bias(layer: nn.Conv1d) -> torch.Tensor:
    assert layer.bias is not None
    return layer.bias
