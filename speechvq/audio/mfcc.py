"""MFCCs at any frame rate: the features of the k-means baseline of discrete units."""

import math

import numpy as np

from speechvq.audio.mel_power import mel_power
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level

COEFFICIENTS = 13
LONGEST_HOP = 160  # samples: 10 ms; a longer code frame is the mean of several MFCC frames
DELTA_SECONDS = 0.09  # span of the regression that gives the deltas: nine frames of 10 ms, as usual


def mfcc(wave: np.ndarray, frame_rate_hz: float) -> np.ndarray:
    """Thirteen MFCCs with deltas and delta-deltas, normalized over the utterance, one row per code frame.

    A code frame of up to 10 ms has one analysis window of 25 ms around its center. A longer one has the mean
    of equally spaced windows, at most 10 ms apart. Each column has the utterance's mean subtracted and is
    divided by its standard deviation, which removes the level, the microphone and much of the speaker.

    Args:
        wave: (T,), float, 16 kHz.
        frame_rate_hz: 1 to 1000; need not divide the sample rate.

    Returns:
        (N, 39), float32, N = ceil(T x frame rate / 16000).

    Raises:
        ValueError: the frame rate is out of bounds.
    """
    if not 1 <= frame_rate_hz <= 1000:
        raise ValueError(f"frame_rate_hz = {frame_rate_hz}: give 1 to 1000 frames per second")
    samples = SAMPLE_RATE / frame_rate_hz
    frames, windows = count_frames(len(wave), frame_rate_hz), math.ceil(samples / LONGEST_HOP)
    if not frames:
        return np.empty((0, 3 * COEFFICIENTS), np.float32)
    centers = np.round((np.arange(frames * windows) + 0.5) * samples / windows).astype(int)
    cepstra = _cepstra(normalize_level(np.asarray(wave, np.float32)), centers)
    rows = _with_deltas(cepstra, DELTA_SECONDS * frame_rate_hz * windows)
    pooled = rows.reshape(frames, windows, -1).mean(1)
    return ((pooled - pooled.mean(0)) / (pooled.std(0) + 1e-5)).astype(np.float32)


def count_frames(samples: int, frame_rate_hz: float) -> int:
    """Number of code frames of a 16 kHz waveform of so many samples; a partial frame counts as one."""
    return math.ceil(samples * frame_rate_hz / SAMPLE_RATE - 1e-6)


def _cepstra(wave: np.ndarray, centers: np.ndarray) -> np.ndarray:
    """Cepstra (F, 13) of windows around some samples (F,) of a waveform (T,)."""
    from librosa import power_to_db
    from librosa.feature import mfcc as cosine_transform

    decibels = power_to_db(mel_power(wave, centers).T, ref=1.0, top_db=80.0)
    return cosine_transform(S=decibels, n_mfcc=COEFFICIENTS).T


def _with_deltas(cepstra: np.ndarray, width: float) -> np.ndarray:
    """Append deltas and delta-deltas over the odd number of frames next to `width`: (F, 13) to (F, 39)."""
    from librosa.feature import delta

    odd = max(2 * round((width - 1) / 2) + 1, 3)
    deltas = [delta(cepstra.T, width=odd, order=order, mode="nearest").T for order in (1, 2)]
    return np.concatenate([cepstra, *deltas], axis=1)
