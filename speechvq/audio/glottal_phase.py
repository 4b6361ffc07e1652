"""The phase of the glottal cycle at every sample of a recording."""

import numpy as np

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.linear_prediction import local_rms, lpc_residual
from speechvq.audio.waveform import SAMPLE_RATE

NUM_PHASE_BINS = 255  # per cycle, numbered from 1; 0 means unvoiced, so that all fit into a byte
UNVOICED = 0

_RADIUS, _WIDTH = 320, 128.0  # samples: half width of the analysis window, and its standard deviation
_HARMONICS = 12  # number of harmonics that locate a pulse
_BAND = 2500.0  # Hz; higher harmonics are not used
_POSITIONS = 64  # candidate positions of the pulse within a cycle
_BLOCK = 500  # frames analyzed at once; bounds the memory of long recordings
_JUMP_COST = 2.4  # of a move by a whole cycle from one frame to the next, in units of the mean best score


def glottal_phase(wave: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Phase bin of every sample: its position between one glottal pulse and the next, or unvoiced.

    The pulses of the recording must point up (see `linear_prediction.polarity`). The excitation's harmonics
    jointly locate the pulses. Following the fundamental's phase alone leaves the phases of the higher
    harmonics twice as uncertain.

    Args:
        wave: (T,), float, 16 kHz.
        f0: (F,), Hz, 0 where unvoiced, 10 ms apart, F = ceil(T / 160).

    Returns:
        (T,), uint8: UNVOICED or 1 to NUM_PHASE_BINS; a pulse lies where bin 1 begins.
    """
    cycles = accumulate_cycles(f0, len(wave))
    pulses = np.zeros(len(wave))
    boundaries = np.flatnonzero(np.diff(np.pad(f0 > 0, 1).astype(int)))
    if len(boundaries):
        scores = _scores(wave, cycles, f0)
        samples = np.arange(len(wave))
        for first, last in zip(boundaries[::2], boundaries[1::2]):
            positions = np.unwrap(_best_path(scores[first:last]) / _POSITIONS, period=1.0)
            segment = slice(max((first - 1) * F0_HOP, 0), (last + 1) * F0_HOP)
            pulses[segment] = np.interp(samples[segment], np.arange(first, last) * F0_HOP, positions)
    return phase_bins(cycles - pulses, f0)


def phase_from_f0(f0: np.ndarray, samples: int) -> np.ndarray:
    """Phase bins of a synthetic voice that follows an F0 contour: (F,), Hz, to (samples,), uint8."""
    return phase_bins(accumulate_cycles(f0, samples), f0)


def accumulate_cycles(f0: np.ndarray, samples: int) -> np.ndarray:
    """Number of cycles since the beginning, F0 interpolated between voiced frames: (F,) to (samples,),
    float64.
    """
    voiced = np.flatnonzero(f0 > 0)
    if not len(voiced):
        return np.zeros(samples)
    return np.cumsum(np.interp(np.arange(samples), voiced * F0_HOP, f0[voiced]) / SAMPLE_RATE)


def phase_bins(cycles: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Phase bins of a running number of cycles.

    Args:
        cycles: (T,), float.
        f0: (F,), Hz, 0 where unvoiced; a sample is voiced if the nearest frame is.

    Returns:
        (T,), uint8.
    """
    if not len(f0):
        return np.zeros(len(cycles), np.uint8)
    nearest = ((np.arange(len(cycles)) + F0_HOP // 2) // F0_HOP).clip(max=len(f0) - 1)
    phase_bin = np.floor((cycles % 1.0) * NUM_PHASE_BINS).astype(np.int64).clip(0, NUM_PHASE_BINS - 1)
    return np.where(f0[nearest] > 0, 1 + phase_bin, UNVOICED).astype(np.uint8)


def _scores(wave: np.ndarray, cycles: np.ndarray, f0: np.ndarray) -> np.ndarray:
    """Match of a pulse train at each position of the cycle with the excitation around each frame: (F,
    _POSITIONS).
    """
    from speechvq.audio.phase_kernels import pulse_scores

    excitation = lpc_residual(wave)
    rms = local_rms(excitation)
    excitation /= np.maximum(rms, 1e-6 + 1e-2 * rms.max())
    window = np.exp(-0.5 * ((np.arange(2 * _RADIUS + 1) - _RADIUS) / _WIDTH) ** 2)
    below_band = np.count_nonzero(np.arange(1, _HARMONICS + 1) * f0[:, None] < _BAND, axis=1)
    harmonics = np.where(f0 > 0, below_band, 0)
    scores = np.empty((len(f0), _POSITIONS))
    for start in range(0, len(f0), _BLOCK):
        part = scores[start : start + _BLOCK]
        samples = np.arange(start * F0_HOP - _RADIUS, (start + len(part) - 1) * F0_HOP + _RADIUS + 1)
        inside = samples.clip(0, len(wave) - 1)
        angles = 2 * np.pi * (cycles[inside] % 1.0)
        around = np.where(inside == samples, excitation[inside], 0.0)
        pulse_scores(
            around, np.cos(angles), -np.sin(angles), window, harmonics[start:][: len(part)], F0_HOP, part
        )
    return scores


def _best_path(scores: np.ndarray) -> np.ndarray:
    """Viterbi path through a voiced segment: (F, _POSITIONS) to (F,); large moves between frames are
    penalized.
    """
    from speechvq.audio.phase_kernels import best_positions

    distance = np.arange(_POSITIONS)
    scale = max(float(scores.max(axis=1).mean()), 1e-9)
    cost = np.minimum(distance, _POSITIONS - distance) / _POSITIONS * _JUMP_COST * scale
    path = np.empty(len(scores), np.int64)
    best_positions(np.ascontiguousarray(scores), cost, path)
    return path
