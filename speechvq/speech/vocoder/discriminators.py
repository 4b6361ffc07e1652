"""Discriminators of the adversarial training: networks that tell recordings from synthesized speech.

Several small networks each see one aspect of the waveform: complex spectrograms at three resolutions (Jang
et al. 2021, UnivNet; Defossez et al. 2023), and samples at a fixed distance (Kong et al. 2020, HiFi-GAN). All
sizes are our choice, for training on a CPU.
"""

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

FFT_SIZES = (1024, 512, 256)
PERIODS = (2, 3, 5, 7)  # samples
PERIOD_CHANNELS = (16, 32, 64, 64)
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
        spectra = torch.stft(wave, self.fft, self.fft // 4, window=self.window, return_complex=True)
        spectra = spectra * spectra.abs().clamp_min(1e-4) ** -0.5
        return _judge(torch.view_as_real(spectra).permute(0, 3, 1, 2), self.layers, self.score)


class PeriodDiscriminator(nn.Module):
    """Convolutions over every p-th sample."""

    layers: Sequence[nn.Conv2d]

    def __init__(self, period: int) -> None:
        """
        Args:
            period: p, samples.
        """
        super().__init__()
        self.period = period
        widths = [1, *PERIOD_CHANNELS]
        layers = nn.ModuleList(
            weight_norm(nn.Conv2d(below, above, (5, 1), (3, 1), (2, 0)))
            for below, above in zip(widths, widths[1:])
        )
        self.layers = cast(Sequence[nn.Conv2d], layers)
        self.score = weight_norm(nn.Conv2d(widths[-1], 1, (3, 1), padding=(1, 0)))

    def forward(self, wave: Tensor) -> Judgment:
        """Judgment of waveforms (B, T)."""
        padded = F.pad(wave, (0, -wave.shape[1] % self.period))
        return _judge(padded.unflatten(1, (1, -1, self.period)), self.layers, self.score)


class Discriminators(nn.Module):
    """All discriminators."""

    def __init__(self, channels: int) -> None:
        """
        Args:
            channels: of the discriminators of spectrograms.
        """
        super().__init__()
        spectrograms = [SpectrogramDiscriminator(fft, channels) for fft in FFT_SIZES]
        self.parts = nn.ModuleList([*spectrograms, *map(PeriodDiscriminator, PERIODS)])

    def forward(self, wave: Tensor) -> list[Judgment]:
        """Judgments of waveforms (B, T)."""
        return [part(wave) for part in self.parts]


def _judge(x: Tensor, layers: Sequence[nn.Module], score: nn.Module) -> Judgment:
    features = []
    for layer in layers:
        x = F.leaky_relu(layer(x), SLOPE)
        features.append(x)
    return Judgment(score(x), features)


def _half(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] // 2, size[1] // 2
