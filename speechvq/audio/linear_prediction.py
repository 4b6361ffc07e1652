"""Linear prediction of speech: the excitation that remains when the formants are removed."""

import numpy as np

from speechvq.audio.f0 import F0_HOP

ORDER = 18  # coefficients: eight formants, and two for the spectral slope
WINDOW = 480  # samples, 30 ms
PREEMPHASIS = 0.9  # so that the spectral slope does not use up the coefficients


def lpc_residual(wave: np.ndarray) -> np.ndarray:
    """Excitation of a waveform: each block of 10 ms filtered by the inverse of its all-pole model.

    In voiced speech it is a train of pulses, one at each glottal closure (Markel and Gray 1976).

    Args:
        wave: (T,), float, 16 kHz.

    Returns:
        (T,), float64.
    """
    if not len(wave):
        return np.zeros(0)
    from speechvq.audio.phase_kernels import predict  # numba takes a fifth of a second to import

    preemphasized = np.append(wave[:1], wave[1:] - PREEMPHASIS * wave[:-1]).astype(np.float64)
    blocks = -(-len(wave) // F0_HOP)
    residual = np.empty(blocks * F0_HOP)
    predict(np.pad(preemphasized, (WINDOW, WINDOW + F0_HOP)), np.hanning(WINDOW), F0_HOP, ORDER, residual)
    return residual[: len(wave)]


def polarity(wave: np.ndarray) -> int:
    """Polarity of a recording: 1 if its glottal pulses point up, -1 if they point down.

    Measured by the skewness of the excitation (Drugman 2013, "Residual excitation skewness for automatic
    speech polarity detection"). It is inaudible. Silence has polarity 1.
    """
    excitation = lpc_residual(wave)
    rms = local_rms(excitation)
    loud = rms > 0.1 * rms.max(initial=0.0)
    if not loud.any():
        return 1
    relative = excitation[loud] / rms[loud]
    return -1 if float(np.mean(relative * relative * relative)) < 0 else 1  # a power takes ten times as long


def local_rms(excitation: np.ndarray) -> np.ndarray:
    """RMS over 30 ms around each sample: (T,) to (T,)."""
    from scipy.ndimage import uniform_filter1d

    return np.sqrt(np.maximum(uniform_filter1d(np.square(excitation), WINDOW, mode="constant"), 0.0))
