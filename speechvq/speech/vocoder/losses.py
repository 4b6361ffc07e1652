"""Losses of the vocoder's training: distance of mel spectra, and the adversarial losses."""

from collections.abc import Sequence

import torch
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.vocoder.discriminators import Judgment

RESOLUTIONS = ((1024, 80), (512, 64), (256, 32))  # samples per frame, and mel bands; the hop is a quarter
MIN_FREQUENCY = 30.0  # Hz
ENERGY_FLOOR = 1e-6


class MelLoss(nn.Module):
    """Mean absolute difference of natural log-mel magnitudes over three resolutions.

    Several resolutions follow Yamamoto et al. 2020, mel bands follow Kong et al. 2020.

    Buffers, not saved:
        filters{n}: (n / 2 + 1, M), for frames of n samples.
        window{n}: (n,).
    """

    def __init__(self) -> None:
        super().__init__()
        for fft, bands in RESOLUTIONS:
            filters = TAF.melscale_fbanks(
                fft // 2 + 1, MIN_FREQUENCY, SAMPLE_RATE / 2, bands, SAMPLE_RATE, norm="slaney"
            )
            self.register_buffer(f"filters{fft}", filters, persistent=False)
            self.register_buffer(f"window{fft}", torch.hann_window(fft), persistent=False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Distance of waveforms (B, T) and (B, T), ()."""
        distances = [
            (self._log_mel(first, fft) - self._log_mel(second, fft)).abs().mean() for fft, _ in RESOLUTIONS
        ]
        return sum(distances, torch.zeros((), device=first.device)) / len(distances) / 2

    def _log_mel(self, wave: Tensor, fft: int) -> Tensor:
        """Logarithm of the energies, (B, frames, M)."""
        window, filters = self.get_buffer(f"window{fft}"), self.get_buffer(f"filters{fft}")
        spectra = torch.stft(wave, fft, fft // 4, window=window, return_complex=True)
        energies = (spectra.real.square() + spectra.imag.square()).transpose(1, 2) / window.square().sum()
        return (energies @ filters + ENERGY_FLOOR).log()


def discriminator_loss(recorded: Sequence[Judgment], synthesized: Sequence[Judgment]) -> Tensor:
    """Least-squares loss of the discriminators, () (Mao et al. 2017)."""
    terms = [
        (1 - real.score).square().mean() + fake.score.square().mean()
        for real, fake in zip(recorded, synthesized)
    ]
    return torch.stack(terms).sum()


def adversarial_loss(synthesized: Sequence[Judgment]) -> Tensor:
    """Least-squares loss of the vocoder, (): its speech is to be judged as recorded."""
    return torch.stack([(1 - fake.score).square().mean() for fake in synthesized]).sum()


def feature_matching_loss(recorded: Sequence[Judgment], synthesized: Sequence[Judgment]) -> Tensor:
    """Mean absolute difference of the discriminators' features, relative to their size, ().

    The features of the recordings get no gradient.
    """
    terms = []
    for real, fake in zip(recorded, synthesized):
        pairs = [(a.detach(), b) for a, b in zip(real.features, fake.features)]
        terms += [(a - b).abs().mean() / a.abs().mean().clamp_min(1e-3) / len(pairs) for a, b in pairs]
    return torch.stack(terms).sum()
