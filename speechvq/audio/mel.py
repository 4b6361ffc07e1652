"""Mel spectra: energies of a waveform in mel bands.

`LogMel` is differentiable and is the input of the models. `mel_power` serves metrics and baselines. Its bands
are those of librosa (Slaney's mel scale), so that their numbers can be compared with other programs.
"""

import math
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.waveform import SAMPLE_RATE

WINDOW, FFT = 400, 512  # samples: 25 ms, zero-padded
MIN_FREQUENCY = 40.0  # Hz, lower edge of the bands of LogMel
ENERGY_FLOOR = 1e-3  # energy of a band that counts as silence; speech of unit scale has about 1
BANDS = 40  # of mel_power

_BLOCK_FRAMES = 10_000  # analyzed at once; bounds the memory of an hour of audio


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
        energies = torch.view_as_real(spectra).square().sum(-1).transpose(1, 2) @ self.filters
        return (energies + ENERGY_FLOOR).log()


def band_centers(bands: int) -> Tensor:
    """Center frequencies of the bands of `LogMel`, Hz: (M,)."""
    low, high = (2595 * math.log10(1 + hertz / 700) for hertz in (MIN_FREQUENCY, SAMPLE_RATE / 2))
    mel = torch.linspace(low, high, bands + 2)[1:-1]
    return 700 * (10 ** (mel / 2595) - 1)


def mel_power(wave: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Power in 40 mel bands of windows of 25 ms.

    Args:
        wave: (T,), float, 16 kHz; taken as zero beyond its ends.
        centers: (F,), int, the samples in the middle of the windows, ascending.

    Returns:
        (F, 40), float32.
    """
    from scipy.fft import rfft

    if not len(centers):
        return np.empty((0, BANDS), np.float32)
    after = max(int(centers[-1]) - len(wave), 0) + WINDOW // 2
    padded = np.pad(np.asarray(wave, np.float32), (WINDOW // 2, after))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    hann, filters = _librosa_analysis()
    starts = range(0, len(centers), _BLOCK_FRAMES)
    blocks = (rfft(windows[centers[i : i + _BLOCK_FRAMES]] * hann, FFT) for i in starts)
    return np.concatenate([np.square(np.abs(spectra)) @ filters for spectra in blocks])


@lru_cache(maxsize=1)
def _librosa_analysis() -> tuple[np.ndarray, np.ndarray]:
    """Window (400,) and mel filters (257, 40) of `mel_power`, as in librosa."""
    from librosa.filters import mel
    from scipy.signal import get_window

    hann = get_window("hann", WINDOW).astype(np.float32)
    return hann, mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=BANDS).T
