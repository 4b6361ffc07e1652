"""A recording of a new voice as training would have read it, and what is wrong with it, by measurement."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import f0_contour
from speechvq.audio.linear_prediction import polarity
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level, trim_silence
from speechvq.errors import UserError

ENOUGH = 20.0  # seconds of speech; with less the voice is a guess
CLIPPED = 1e-3  # share of the samples at full scale; speech that was not clipped has next to none
APART = 6.0  # semitones between the quarters' median pitches; one person's lie within three
WHISPER = 0.1  # share of voiced frames; speech has about half


class Speech(NamedTuple):
    """What a voice is learnt from."""

    waves: list[np.ndarray]  # (T,) each, 16 kHz, level and polarity as in training
    seconds: float
    warnings: list[str]


def prepare_speech(waves: Sequence[np.ndarray], longest: float) -> Speech:
    """Cut silence, make levels equal, and look for what would spoil a voice.

    Args:
        waves: (T,) each, float, 16 kHz, of one person.
        longest: seconds of speech to use at most.

    Raises:
        UserError: nothing but silence, or clipped.
    """
    clipped = float(np.mean([np.mean(np.abs(wave) >= 0.999) for wave in waves if len(wave)] or [0.0]))
    if clipped > CLIPPED:
        raise UserError(f"{100 * clipped:.1f} % of the samples are clipped; record again with less gain")
    kept, left = list[np.ndarray](), round(longest * SAMPLE_RATE)
    for wave in waves:
        speech, _ = trim_silence(wave)
        if len(speech) and speech.any() and left > 0:
            kept.append(normalize_level(polarity(speech) * speech)[:left])
            left -= len(kept[-1])
    if not kept:
        raise UserError("nothing but silence; record again")
    seconds = sum(map(len, kept)) / SAMPLE_RATE
    return Speech(kept, seconds, _warnings(kept, seconds))


def _warnings(waves: list[np.ndarray], seconds: float) -> list[str]:
    pitch = np.concatenate([f0_contour(wave) for wave in waves])
    voiced, found = pitch[pitch > 0], []
    if seconds < ENOUGH:
        found.append(f"only {seconds:.1f} s of speech; {ENOUGH:g} s or more make a better voice")
    if len(voiced) < WHISPER * len(pitch):
        found.append(
            f"{100 * len(voiced) / max(len(pitch), 1):.0f} % of it is voiced: a whisper, or no speech"
        )
    elif len(voiced) >= 40:
        medians = [float(np.median(part)) for part in np.array_split(voiced, 4)]
        apart = 12 * np.log2(max(medians) / min(medians))
        if apart > APART:
            found.append(
                f"its quarters' pitches lie {apart:.0f} semitones apart ({min(medians):.0f} to {max(medians):.0f} Hz): "
                "more than one person?"
            )
    return found
