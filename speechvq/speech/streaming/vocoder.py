"""The vocoder on a stream: source-filter signal to waveform."""

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.speech.source_filter.source_filter import FRAME_SAMPLES
from speechvq.speech.streaming.layers import ConvStream, Delay
from speechvq.speech.vocoder.vocoder import FFT, Vocoder


class VocoderStream:
    """A `Vocoder` on a stream."""

    def __init__(self, vocoder: Vocoder) -> None:
        """
        Args:
            vocoder: the vocoder.
        """
        self._vocoder = vocoder
        self._before = (FFT - FRAME_SAMPLES) // 2  # samples of a frame before its hop
        self._source = torch.zeros(self._before)
        self._conditions = torch.empty(1, vocoder.inputs.in_channels - FFT - 2, 0)
        self._layers = []
        for layer in vocoder.layers:
            conv = layer.depthwise
            stream = ConvStream(
                lambda x, conv=conv: F.conv1d(x, conv.weight, conv.bias, groups=conv.groups),  # type: ignore[misc]
                conv.in_channels,
                *layer.padding,
            )
            self._layers.append((layer, stream, Delay(layer.padding[1])))
        self._spectra = Delay(sum(layer.padding[1] for layer in vocoder.layers))
        self._sum, self._weight = torch.zeros(FFT), torch.zeros(FFT)
        self._skip = self._before  # samples before the beginning that are still in the sums

    def push(self, source: Tensor, conditions: Tensor) -> Tensor:
        """Waveform (T',), pre-emphasized, that is complete now.

        Args:
            source: (T,), the next samples of the signal.
            conditions: (1, M + 2 + V, n), of the next frames, as `Vocoder.forward` joins them.
        """
        self._source = torch.cat([self._source, source])
        self._conditions = torch.cat([self._conditions, conditions], dim=2)
        count = max((len(self._source) - FFT) // FRAME_SAMPLES + 1, 0)
        count = min(count, self._conditions.shape[2])
        if not count:
            return torch.empty(0)
        frames = self._source.unfold(0, FFT, FRAME_SAMPLES)[:count]
        spectra = torch.fft.rfft(frames * self._vocoder.window).T[None]
        x = self._vocoder.read(spectra, self._conditions[..., :count])
        self._source = self._source[count * FRAME_SAMPLES :]
        self._conditions = self._conditions[..., count:]
        for layer, stream, delay in self._layers:
            x = layer.add(delay.push(x), stream.push(x))
        delayed = torch.complex(*(each for each in self._delayed(spectra)))
        return self._overlap_add(delayed * self._vocoder.factors(x))

    def _delayed(self, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Real and imaginary part of the spectra that go with the outputs of the layers."""
        both = self._spectra.push(torch.cat([spectra.real, spectra.imag], dim=1))
        real, imaginary = both.chunk(2, dim=1)
        return real, imaginary

    def _overlap_add(self, spectra: Tensor) -> Tensor:
        """Samples that no later frame adds to, from the next frames (1, bins, n)."""
        window, parts = self._vocoder.window, []
        for frame in torch.fft.irfft(spectra[0].T, n=FFT) * window:
            self._sum, self._weight = self._sum + frame, self._weight + window.square()
            parts.append(self._sum[:FRAME_SAMPLES] / self._weight[:FRAME_SAMPLES].clamp_min(1e-3))
            self._sum = F.pad(self._sum[FRAME_SAMPLES:], (0, FRAME_SAMPLES))
            self._weight = F.pad(self._weight[FRAME_SAMPLES:], (0, FRAME_SAMPLES))
        wave = torch.cat(parts) if parts else torch.empty(0)
        skipped = min(self._skip, len(wave))
        self._skip -= skipped
        return wave[skipped:]
