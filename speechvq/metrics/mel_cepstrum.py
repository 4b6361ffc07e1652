"""How far apart two sounds of the same sentence are: mel-cepstral distance along the best warping of time."""

import math

import numpy as np

from speechvq.audio.mel import BANDS, mel_power

COEFFICIENTS = 13  # c1 to c13; c0 is the level
HOP = 160  # samples: 10 ms


def mel_cepstral_distortion(first: np.ndarray, second: np.ndarray) -> float:
    """Mel-cepstral distance (Kubichek 1993), dB, mean over the frames that dynamic time warping pairs.

    By Parseval it is the root mean square difference in dB of the two spectra, smoothed to 13 cosines. Cepstra are of 40 mel bands, not of an all-pole model, so values lie near those of other programs and not
    on them: compare within this one only.

    Args:
        first: (T,), float, 16 kHz.
        second: (T',).

    Returns:
        NaN for sounds without samples.
    """
    if not len(first) or not len(second):
        return math.nan
    from speechvq.metrics.dtw import dtw_distances  # its compilation is no part of starting

    costs = _decibels(_cepstra(first), _cepstra(second))
    return float(dtw_distances(costs, np.array([0, costs.shape[1]]))[0])


def _decibels(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The distance of every frame from every other: (F, 13) and (F', 13) to (F, F'), dB."""
    square = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.sqrt(2 * np.maximum(square, 0.0)) * 10 / math.log(10)


def _cepstra(wave: np.ndarray) -> np.ndarray:
    """c1 to c13 of the natural logarithm of amplitude: (T,) to (F, 13); at most 60 dB below the loudest.

    Those of a filter of minimum phase, as in SPTK, so that the logarithm is c0 + sum of c_k cos(k w): twice the
    cosine means that a cepstrum has on both sides of 0.
    """
    from scipy.fft import dct

    power = mel_power(wave, np.arange(0, len(wave) + 1, HOP)).astype(np.float64)
    amplitude = 0.5 * np.log(np.maximum(power, max(1e-6 * power.max(), 1e-10)))
    return dct(amplitude, axis=1)[:, 1 : COEFFICIENTS + 1] / BANDS  # scipy's sum is twice the cosine sum
