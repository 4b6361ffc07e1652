"""Log-mel spectra as the input of the models; `audio.mel_power` serves metrics and baselines."""

import math

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.mel_power import FFT, WINDOW
from speechvq.audio.waveform import SAMPLE_RATE

MIN_FREQUENCY = 40.0  # Hz, lower edge of the bands of LogMel
ENERGY_FLOOR = 1e-3  # energy of a band that counts as silence; speech of unit scale has about 1


class LogMel(nn.Module):
    """Natural logarithm of the energies in M mel bands, one frame per hop, each frame centered in its hop."""

    def __init__(self, bands: int, hop: int) -> None:
        """
        Args:
            bands: M, number of mel bands (HTK mel scale, from 40 Hz to half the sample rate).
            hop: samples per frame.
        """
        super().__init__()
        self.hop = hop
        filters = TAF.melscale_fbanks(
            FFT // 2 + 1, MIN_FREQUENCY, SAMPLE_RATE / 2, bands, SAMPLE_RATE, norm="slaney"
        )
        window = torch.hann_window(WINDOW)
        # Scaled so that white noise of variance 1 has an energy of 1 in every band.
        white = window.square().sum() / FFT * filters.sum(0)
        self.filters: Tensor
        self.window: Tensor
        self.register_buffer("filters", filters / white, persistent=False)
        self.register_buffer("window", window, persistent=False)

    def forward(self, wave: Tensor) -> Tensor:
        """(B, T), scaled to an RMS of about 1, to (B, N, M), N = T / hop."""
        return self.of_padded(F.pad(wave, ((FFT - self.hop) // 2, (FFT - self.hop + 1) // 2)))

    def of_padded(self, padded: Tensor) -> Tensor:
        """(B, T + FFT - hop), with half of FFT - hop samples on each side, to (B, T / hop, M)."""
        spectra = torch.stft(
            padded, FFT, self.hop, WINDOW, self.window, center=False, normalized=True, return_complex=True
        )
        # A sum over an axis of two is five times slower than this one, and the same numbers.
        energies = (spectra.real.square() + spectra.imag.square()).transpose(1, 2) @ self.filters
        return (energies + ENERGY_FLOOR).log()


def band_centers(bands: int) -> Tensor:
    """Center frequencies of the bands of `LogMel`, Hz: (M,)."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (MIN_FREQUENCY, SAMPLE_RATE / 2))
    mel = torch.linspace(low, high, bands + 2)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)
