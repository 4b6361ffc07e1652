"""MFCCs at any frame rate: what the k-means baseline of discrete units is made of."""

import math
from functools import lru_cache

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, normalise_level

COEFFICIENTS, BANDS = 13, 40
WINDOW, FFT = 400, 512  # samples: 25 ms
LONGEST_HOP = 160  # samples: 10 ms; a longer code frame is the mean of several MFCC frames
SLOPE_SECONDS = 0.09  # over which the slopes are fitted: nine frames of 10 ms, as usual

_PIECE = 10_000  # frames analysed at once; bounds the memory of an hour


def mfcc(wave: np.ndarray, frame_rate_hz: float) -> np.ndarray:
    """Thirteen MFCCs with first and second slopes, normalised over the utterance, one row a code frame.

    A code frame of up to 10 ms has one analysis window of 25 ms about its centre; a longer one has the mean
    of equally spaced ones, at most 10 ms apart. Of each column the utterance's mean is taken away and its
    deviation divided out, which removes level, microphone and much of the voice.

    Args:
        wave: (T,), float, 16 kHz.
        frame_rate_hz: 1 to 1000; need not divide the sample rate.

    Returns:
        (N, 39), float32, N = ceil(T x frame rate / 16000).

    Raises:
        ValueError: the rate is out of bounds.
    """
    if not 1 <= frame_rate_hz <= 1000:
        raise ValueError(f"{frame_rate_hz} frames a second; give 1 to 1000")
    samples = SAMPLE_RATE / frame_rate_hz
    frames, parts = count_frames(len(wave), frame_rate_hz), math.ceil(samples / LONGEST_HOP)
    if not frames:
        return np.empty((0, 3 * COEFFICIENTS), np.float32)
    centres = np.round((np.arange(frames * parts) + 0.5) * samples / parts).astype(int)
    cepstra = _cepstra(normalise_level(np.asarray(wave, np.float32)), centres)
    rows = _with_slopes(cepstra, SLOPE_SECONDS * frame_rate_hz * parts)
    pooled = rows.reshape(frames, parts, -1).mean(1)
    return ((pooled - pooled.mean(0)) / (pooled.std(0) + 1e-5)).astype(np.float32)


def count_frames(samples: int, frame_rate_hz: float) -> int:
    """Code frames of a sound of so many samples at 16 kHz; a part of a frame counts as one."""
    return math.ceil(samples * frame_rate_hz / SAMPLE_RATE - 1e-6)


def _cepstra(wave: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """(T,) and the samples in the middle of F windows to (F, 13)."""
    from librosa import power_to_db
    from librosa.feature import mfcc as cosine_transform
    from scipy.fft import rfft

    # Windows reach over both ends, the last one by a part of a frame too.
    padded = np.pad(wave, (WINDOW // 2, max(int(centres[-1]) - len(wave), 0) + WINDOW // 2))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    hann, bands = _analysis()
    energies = [
        np.square(np.abs(rfft(windows[centres[i : i + _PIECE]] * hann, FFT))) @ bands
        for i in range(0, len(centres), _PIECE)
    ]
    decibels = power_to_db(np.concatenate(energies).T, ref=1.0, top_db=80.0)
    return cosine_transform(S=decibels, n_mfcc=COEFFICIENTS).T


@lru_cache(maxsize=1)
def _analysis() -> tuple[np.ndarray, np.ndarray]:
    """Window (400,) and mel bands (257, 40)."""
    from librosa.filters import mel
    from scipy.signal import get_window

    hann = get_window("hann", WINDOW).astype(np.float32)
    return hann, mel(sr=SAMPLE_RATE, n_fft=FFT, n_mels=BANDS).T


def _with_slopes(cepstra: np.ndarray, width: float) -> np.ndarray:
    """(F, 13) to (F, 39); slopes over the odd number of frames next to `width`."""
    from librosa.feature import delta

    odd = max(2 * round((width - 1) / 2) + 1, 3)
    slopes = [delta(cepstra.T, width=odd, order=order, mode="nearest").T for order in (1, 2)]
    return np.concatenate([cepstra, *slopes], axis=1)
