"""Level of a sound in the pauses of a recording: hum, rumble and noise that a conversion adds show here."""

import math

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE

FRAME = SAMPLE_RATE // 50  # 20 ms
PAUSE_BELOW_PEAK = 40.0  # dB below the loudest frame: breathing and room noise, no speech
MIN_FRAMES = 3


def pause_level_db(source: np.ndarray, wave: np.ndarray) -> float:
    """Level of `wave` in the pauses of `source`, relative to the loudest frame of `wave`.

    A frame of 20 ms is a pause if its power in `source` is at least 40 dB below that of the loudest frame.

    Args:
        source: (T,), float, 16 kHz.
        wave: (T',), for example the conversion of `source`; the first min(T, T') samples are compared.

    Returns:
        Level in dB, negative; NaN if `source` has less than three frames of pause, or `wave` is silent.
    """
    frames = min(len(source), len(wave)) // FRAME
    if not frames:
        return math.nan
    before, after = _power(source, frames), _power(wave, frames)
    pause = before < before.max() * 10 ** (-PAUSE_BELOW_PEAK / 10)
    if pause.sum() < MIN_FRAMES or not after.any():
        return math.nan
    floor = np.finfo(np.float32).tiny  # digital silence in the pauses
    return 10 * math.log10(max(float(after[pause].mean() / after.max()), floor))


def _power(wave: np.ndarray, frames: int) -> np.ndarray:
    """Mean power of each frame, (frames,), in double precision."""
    cut = np.asarray(wave[: frames * FRAME], np.float64).reshape(frames, FRAME)
    return (cut**2).mean(axis=1)
