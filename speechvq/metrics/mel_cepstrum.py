"""Mel-cepstral distortion between two recordings of the same sentence, aligned by dynamic time warping."""

import math

import numpy as np

from speechvq.audio.mel_power import BANDS, mel_power

NUM_COEFFICIENTS = 13  # c1 to c13; c0, the level, is excluded
HOP = 160  # samples: 10 ms


def mel_cepstral_distortion(first: np.ndarray, second: np.ndarray) -> float:
    """Mel-cepstral distortion (MCD, Kubichek 1993) in dB, averaged over the DTW path.

    By Parseval's theorem it is the root mean square difference in dB of two spectra smoothed to 13 cosines.
    The cepstra come from 40 mel bands and not from an all-pole model, so values are close but not equal to
    those of other programs: compare only values of this function.

    Args:
        first: (T,), float, 16 kHz.
        second: (T',).

    Returns:
        Distortion in dB; NaN if either waveform is empty.
    """
    if not len(first) or not len(second):
        return math.nan
    from speechvq.metrics.dtw import dtw_distances  # compiled by Numba on import

    costs = _decibels(_cepstra(first), _cepstra(second))
    return float(dtw_distances(costs, np.array([0, costs.shape[1]]))[0])


def _decibels(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Distortion in dB of all pairs of frames: (F, 13) and (F', 13) to (F, F')."""
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.sqrt(2 * np.maximum(square, 0.0)) * 10 / math.log(10)


def _cepstra(wave: np.ndarray) -> np.ndarray:
    """Mel cepstrum c1 to c13 of the log amplitude: (T,) to (F, 13); the dynamic range is limited to 60 dB.

    The scale is that of a minimum-phase filter, as in SPTK: the log amplitude is c0 + sum of c_k cos(k w), so
    coefficients are twice those of a two-sided cepstrum.
    """
    from scipy.fft import dct

    power = mel_power(wave, np.arange(0, len(wave) + 1, HOP)).astype(np.float64)
    amplitude = 0.5 * np.log(np.maximum(power, max(1e-6 * power.max(), 1e-10)))
    return dct(amplitude, axis=1)[:, 1 : NUM_COEFFICIENTS + 1] / BANDS  # scipy's sum is twice the cosine sum
