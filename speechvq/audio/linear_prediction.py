"""Linear prediction of speech: what is left of a sound when its formants are taken away."""

import numpy as np

from speechvq.audio.f0 import F0_HOP

ORDER = 18  # coefficients: eight formants, and two for the slope of the spectrum
WINDOW = 480  # samples, 30 ms
PREEMPHASIS = 0.9  # so that the slope of the spectrum does not take up the coefficients


def lpc_residual(wave: np.ndarray) -> np.ndarray:
    """The excitation of a sound: each block of 10 ms through the inverse of the all-pole filter fitted about it.

    In voiced speech it is a row of pulses, one where the glottis closes (Markel and Gray 1976).

    Args:
        wave: (T,), float, 16 kHz.

    Returns:
        (T,), float64.
    """
    if not len(wave):
        return np.zeros(0)
    emphasised = np.append(wave[:1], wave[1:] - PREEMPHASIS * wave[:-1]).astype(np.float64)
    blocks = -(-len(wave) // F0_HOP)
    padded = np.pad(emphasised, (WINDOW, WINDOW + F0_HOP))
    frames = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)
    # Block i holds samples i HOP to (i + 1) HOP; its window has the same middle.
    around = frames[WINDOW + (F0_HOP - WINDOW) // 2 :: F0_HOP][:blocks]
    coefficients = _all_pole(around * np.hanning(WINDOW))
    past = np.lib.stride_tricks.sliding_window_view(padded, ORDER + 1)[WINDOW - ORDER :][: blocks * F0_HOP]
    filters = np.concatenate([-coefficients[:, ::-1], np.ones((blocks, 1))], axis=1)
    return np.einsum("bhp,bp->bh", past.reshape(blocks, F0_HOP, ORDER + 1), filters).reshape(-1)[: len(wave)]


def polarity(wave: np.ndarray) -> int:
    """1 for a recording whose glottal pulses point up, -1 for one upside down, which nobody hears.

    By the skewness of the excitation (Drugman 2013, "Residual excitation skewness for automatic speech polarity
    detection"); 1 for silence.
    """
    excitation = lpc_residual(wave)
    level = local_rms(excitation)
    loud = level > 0.1 * level.max(initial=0.0)
    return -1 if loud.any() and float(np.mean((excitation[loud] / level[loud]) ** 3)) < 0 else 1


def local_rms(excitation: np.ndarray) -> np.ndarray:
    """RMS of the 30 ms about each sample: (T,) to (T,)."""
    from scipy.ndimage import uniform_filter1d

    return np.sqrt(np.maximum(uniform_filter1d(np.square(excitation), WINDOW, mode="constant"), 0.0))


def _all_pole(frames: np.ndarray) -> np.ndarray:
    """Coefficients (F, ORDER) that predict each frame (F, W) best, by its autocorrelation; the newest sample's first."""
    size = 2 * frames.shape[1]
    power = np.square(np.abs(np.fft.rfft(frames, size)))
    correlation = np.fft.irfft(power, size)[:, : ORDER + 1]
    correlation[:, 0] = correlation[:, 0] * 1.001 + 1e-9  # a floor 30 dB down, and silence is solvable
    places = np.abs(np.arange(ORDER)[:, None] - np.arange(ORDER))
    return np.linalg.solve(correlation[:, places], correlation[:, 1:, None])[..., 0]
