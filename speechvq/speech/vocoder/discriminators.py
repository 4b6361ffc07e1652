"""Discriminators of the adversarial training: networks that tell recordings from synthesized speech.

Several small networks each see complex spectrograms: whole ones at three resolutions (Jang et al. 2021,
UnivNet; Defossez et al. 2023), and frequency bands at two resolutions (Kumar et al. 2023, Descript Audio
Codec). All sizes are our choice, for training on a CPU. There are no discriminators of samples at a fixed
distance (Kong et al. 2020, HiFi-GAN): of this size they did not learn to tell recordings from synthesized
speech.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

FFT_SIZES = (1024, 512, 256)
SUBBAND_FFT_SIZES = (1024, 512)
BAND_EDGES = (0.0, 0.125, 0.25, 0.5, 1.0)  # fractions of the Nyquist frequency
SUBBAND_DILATIONS = (1, 2, 1)
SLOPE = 0.1  # of the leaky ReLU


class Judgment(NamedTuple):
    """Output of one discriminator."""

    score: Tensor  # (B, ...), towards 1 for recordings and 0 for synthesized speech
    features: list[Tensor]  # (B, ...) each, outputs of the layers


class SpectrogramDiscriminator(nn.Module):
    """Convolutions over a complex spectrogram."""

    window: Tensor
    layers: Sequence[nn.Conv2d]

    def __init__(self, fft: int, channels: int) -> None:
        """
        Args:
            fft: samples per frame; the hop is a quarter.
            channels: of each layer.
        """
        super().__init__()
        self.fft = fft
        shapes = [((7, 5), (2, 1)), ((5, 3), (2, 1)), ((5, 3), (2, 2)), ((3, 3), (2, 1)), ((3, 3), (1, 1))]
        layers = nn.ModuleList(
            weight_norm(nn.Conv2d(channels if i else 2, channels, size, stride, _half(size)))
            for i, (size, stride) in enumerate(shapes)
        )
        self.layers = cast(Sequence[nn.Conv2d], layers)
        self.score = weight_norm(nn.Conv2d(channels, 1, 3, padding=1))
        self.register_buffer("window", torch.hann_window(fft), persistent=False)

    def forward(self, wave: Tensor) -> Judgment:
        """Judgment of waveforms (B, T)."""
        spectra = torch.view_as_real(compressed_spectra(wave, self.fft, self.window))
        return _judge(spectra.permute(0, 3, 1, 2), self.layers, self.score)


class SubbandDiscriminator(nn.Module):
    """Convolutions over the frames of each frequency band of a complex spectrogram.

    All bins of a band are channels of its first layer, so a layer is one product of large matrices, which a
    CPU computes faster than two-dimensional convolutions of the same number of operations.
    """

    window: Tensor

    def __init__(self, fft: int, channels: int) -> None:
        """
        Args:
            fft: samples per frame; the hop is a quarter.
            channels: of each layer of a band.
        """
        super().__init__()
        self.fft = fft
        edges = [round(edge * fft / 2) for edge in BAND_EDGES]
        edges[-1] += 1  # the bin of the Nyquist frequency
        self.bands = [slice(low, high) for low, high in zip(edges, edges[1:])]
        self.layers = nn.ModuleList(
            nn.ModuleList(
                [
                    _conv1d(2 * (band.stop - band.start), channels, 3, 1),
                    *(_conv1d(channels, channels, 5, dilation) for dilation in SUBBAND_DILATIONS),
                ]
            )
            for band in self.bands
        )
        self.scores = nn.ModuleList(_conv1d(channels, 1, 3, 1) for _ in self.bands)
        self.register_buffer("window", torch.hann_window(fft), persistent=False)

    def forward(self, wave: Tensor) -> Judgment:
        """Judgment of waveforms (B, T); the score is (B, bands, frames)."""
        spectra = compressed_spectra(wave, self.fft, self.window)
        bands = [torch.cat([spectra[:, band].real, spectra[:, band].imag], dim=1) for band in self.bands]
        judgments = [
            _judge(band, cast(Sequence[nn.Module], layers), score)
            for band, layers, score in zip(bands, self.layers, self.scores)
        ]
        features = [feature for judgment in judgments for feature in judgment.features]
        return Judgment(torch.cat([judgment.score for judgment in judgments], dim=1), features)


class Discriminators(nn.Module):
    """All discriminators."""

    def __init__(self, channels: int) -> None:
        """
        Args:
            channels: of the discriminators of whole spectrograms; those of bands have four times as many.
        """
        super().__init__()
        whole = [SpectrogramDiscriminator(fft, channels) for fft in FFT_SIZES]
        self.parts = nn.ModuleList(
            [*whole, *(SubbandDiscriminator(fft, 4 * channels) for fft in SUBBAND_FFT_SIZES)]
        )

    def forward(self, wave: Tensor) -> list[Judgment]:
        """Judgments of waveforms (B, T)."""
        return [part(wave) for part in self.parts]


def compressed_spectra(wave: Tensor, fft: int, window: Tensor) -> Tensor:
    """Spectra of waveforms (B, T) with the square root of their magnitudes, (B, fft / 2 + 1, frames)."""
    spectra = torch.stft(wave, fft, fft // 4, window=window, return_complex=True)
    return spectra * spectra.abs().clamp_min(1e-4) ** -0.5


def _judge(x: Tensor, layers: Sequence[nn.Module], score: nn.Module) -> Judgment:
    features = []
    for layer in layers:
        x = F.leaky_relu(layer(x), SLOPE)
        features.append(x)
    return Judgment(score(x), features)


def _half(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2, size[1] // 2


def _conv1d(below: int, above: int, size: int, dilation: int) -> nn.Module:
    padding = size // 2 * dilation
    return weight_norm(nn.Conv1d(below, above, size, padding=padding, dilation=dilation))
