"""Where in its glottal cycle a voice is at every sample."""

import numpy as np

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.linear_prediction import local_rms, lpc_residual
from speechvq.audio.waveform import SAMPLE_RATE

NUM_PHASE_BINS = 255  # of a cycle; the class 0 is for what is in no cycle, so that all fit into a byte
UNVOICED = 0

_REACH, _WIDTH = 320, 128.0  # samples: of the window in which pulses are looked for, and its deviation
_PULSE = 12  # harmonics that a pulse is recognised by,
_BAND = 2500.0  # Hz, and below
_PLACES = 64  # of a cycle at which it is looked for
_MOVE = 2.4  # cost of moving by a whole cycle from one frame to the next, in units of a typical score


def glottal_phase(wave: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """Class of every sample: the part of the cycle from one glottal pulse to the next, or unvoiced.

    Pulses point up (see `linear_prediction.polarity`). All harmonics of the excitation say together where they are:
    where the fundamental's phase alone is followed, the higher harmonics' phases are twice as uncertain.

    Args:
        wave: (T,), float, 16 kHz.
        hertz: (F,), pitch, 0 where unvoiced, 10 ms apart, F = ceil(T / 160).

    Returns:
        (T,), uint8, UNVOICED or 1 to PARTS; a pulse is where 1 begins.
    """
    cycles = accumulate_cycles(hertz, len(wave))
    pulses = np.zeros(len(wave))
    voiced = np.flatnonzero(np.diff(np.pad(hertz > 0, 1).astype(int)))
    if len(voiced):
        scores = _scores(wave, cycles, hertz)
        for first, last in zip(voiced[::2], voiced[1::2]):
            places = np.unwrap(_path(scores[first:last]) / _PLACES, period=1.0)
            samples = slice(max((first - 1) * F0_HOP, 0), (last + 1) * F0_HOP)
            pulses[samples] = np.interp(
                np.arange(len(wave))[samples], np.arange(first, last) * F0_HOP, places
            )
    return phase_bins(cycles - pulses, hertz)


def phase_from_f0(hertz: np.ndarray, samples: int) -> np.ndarray:
    """Classes for a voice that is to follow a contour: pitch (F,), Hz, to (samples,), uint8."""
    return phase_bins(accumulate_cycles(hertz, samples), hertz)


def accumulate_cycles(hertz: np.ndarray, samples: int) -> np.ndarray:
    """Cycles since the beginning, pitch on straight lines between the voiced frames: (F,) to (samples,), float64."""
    voiced = np.flatnonzero(hertz > 0)
    if not len(voiced):
        return np.zeros(samples)
    return np.cumsum(np.interp(np.arange(samples), voiced * F0_HOP, hertz[voiced]) / SAMPLE_RATE)


def phase_bins(cycles: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """Classes of a count of cycles: (T,) and pitch (F,) to (T,) uint8; a sample is as voiced as the nearest frame."""
    if not len(hertz):
        return np.zeros(len(cycles), np.uint8)
    nearest = ((np.arange(len(cycles)) + F0_HOP // 2) // F0_HOP).clip(max=len(hertz) - 1)
    part = np.floor((cycles % 1.0) * NUM_PHASE_BINS).astype(np.int64).clip(0, NUM_PHASE_BINS - 1)
    return np.where(hertz[nearest] > 0, 1 + part, UNVOICED).astype(np.uint8)


def _scores(wave: np.ndarray, cycles: np.ndarray, hertz: np.ndarray) -> np.ndarray:
    """How well a row of pulses at each place of the cycle fits the excitation about each frame: (F, _PLACES)."""
    excitation = lpc_residual(wave)
    level = local_rms(excitation)
    padded = np.pad(excitation / np.maximum(level, 1e-6 + 1e-2 * level.max()), _REACH)
    offsets = np.arange(2 * _REACH + 1)
    window = np.exp(-0.5 * ((offsets - _REACH) / _WIDTH) ** 2)
    places = np.arange(len(hertz))[:, None] * F0_HOP + offsets
    heard = padded[places] * window
    turning = np.exp(-2j * np.pi * np.pad(cycles, _REACH, mode="edge"))[places]
    power, scores = np.ones_like(turning), np.zeros((len(hertz), _PLACES))
    around = np.exp(2j * np.pi * np.arange(_PLACES) / _PLACES)
    for harmonic in range(1, _PULSE + 1):
        power *= turning
        amplitude = np.where(harmonic * hertz < _BAND, (heard * power).sum(axis=1), 0.0)
        scores += np.real(amplitude[:, None] * around**harmonic)
    return scores


def _path(scores: np.ndarray) -> np.ndarray:
    """The best way through a voiced stretch, (F, _PLACES) to (F,): pulses do not jump."""
    steps = np.arange(_PLACES)
    apart = np.abs(steps[:, None] - steps)
    cost = np.minimum(apart, _PLACES - apart) / _PLACES * _MOVE * max(float(scores.max(axis=1).mean()), 1e-9)
    total, back = scores[0], np.zeros(scores.shape, np.int64)
    for i in range(1, len(scores)):
        options = total - cost
        back[i] = options.argmax(axis=1)
        total = options[steps, back[i]] + scores[i]
    path = np.full(len(scores), total.argmax())
    for i in range(len(scores) - 1, 0, -1):
        path[i - 1] = back[i, path[i]]
    return path
