"""Recordings of a new speaker, prepared like training data and checked for what would spoil an enrollment."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import f0_contour
from speechvq.audio.linear_prediction import polarity
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level, trim_silence
from speechvq.errors import UserError

ENOUGH_SECONDS = 20.0  # of speech; with less the embedding is unreliable
CLIPPING_LEVEL, MAX_CLIPPED = 0.999, 1e-3  # of full scale; fraction of samples, next to none without clipping
MAX_F0_SPREAD = 6.0  # semitones between the median F0 of the quarters; one speaker's lie within three
MIN_VOICED = 0.1  # fraction of frames; speech has about half
MIN_VOICED_FRAMES = 40  # for the medians of the quarters


class EnrollmentAudio(NamedTuple):
    """Speech of one speaker, prepared for enrollment."""

    waves: list[np.ndarray]  # (T,) each, 16 kHz, level and polarity as in training
    seconds: float
    warnings: list[str]


def prepare_enrollment_audio(waves: Sequence[np.ndarray], max_seconds: float) -> EnrollmentAudio:
    """Trim silence, equalize level and polarity, and look for problems.

    Args:
        waves: (T,) each, float, 16 kHz, of one speaker.
        max_seconds: of speech that is used.

    Raises:
        UserError: silent or clipped recordings.
    """
    clipped = [np.mean(np.abs(wave) >= CLIPPING_LEVEL) for wave in waves if len(wave)]
    if (fraction := float(np.mean(clipped or [0.0]))) > MAX_CLIPPED:
        raise UserError(f"{100 * fraction:.1f} % of the samples are clipped; record again with less gain")
    kept, left = list[np.ndarray](), round(max_seconds * SAMPLE_RATE)
    for wave in waves:
        speech, _ = trim_silence(wave)
        if len(speech) and speech.any() and left > 0:
            kept.append(normalize_level(polarity(speech) * speech)[:left])
            left -= len(kept[-1])
    if not kept:
        raise UserError("nothing but silence; record again")
    seconds = sum(map(len, kept)) / SAMPLE_RATE
    return EnrollmentAudio(kept, seconds, _warnings(kept, seconds))


def _warnings(waves: list[np.ndarray], seconds: float) -> list[str]:
    """One line for each property that would spoil the enrollment."""
    f0 = np.concatenate([f0_contour(wave) for wave in waves])
    voiced, found = f0[f0 > 0], []
    if seconds < ENOUGH_SECONDS:
        found.append(f"only {seconds:.1f} s of speech; use {ENOUGH_SECONDS:g} s or more for a better voice")
    if len(voiced) < MIN_VOICED * len(f0):
        percent = 100 * len(voiced) / max(len(f0), 1)
        found.append(f"{percent:.0f} % of the frames are voiced; is it a whisper, or no speech?")
    elif len(voiced) >= MIN_VOICED_FRAMES:
        medians = [float(np.median(part)) for part in np.array_split(voiced, 4)]
        low, high = min(medians), max(medians)
        if (spread := 12 * np.log2(high / low)) > MAX_F0_SPREAD:
            found.append(
                f"the median F0 of its quarters differs by {spread:.0f} semitones, "
                f"{low:.0f} to {high:.0f} Hz; is it more than one person?"
            )
    return found
