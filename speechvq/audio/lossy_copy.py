"""Copies of recordings by a lossy codec: what a known, slight damage does to a metric."""

import io

import numpy as np
import soundfile

from speechvq.audio.waveform import SAMPLE_RATE

BIT_RATE = 24_000  # bit/s
LABEL = "Opus, 24 kbit/s"

# libsndfile maps its compression level to Opus bit rates, 0 to 256 kbit/s and 1 to 6 kbit/s, linearly.
_MIN_BIT_RATE, _BIT_RATE_RANGE = 6_000, 250_000


def lossy_copy(wave: np.ndarray) -> np.ndarray:
    """A waveform after Opus (Valin et al. 2012) at 24 kbit/s, a good telephone call.

    Args:
        wave: (T,), float, 16 kHz; clipped to [-1, 1].

    Returns:
        (T,), float32, without delay.
    """
    if not len(wave):
        return np.asarray(wave, np.float32)
    encoded = io.BytesIO()
    level = 1 - (BIT_RATE - _MIN_BIT_RATE) / _BIT_RATE_RANGE
    clipped = np.clip(wave, -1.0, 1.0)
    soundfile.write(encoded, clipped, SAMPLE_RATE, format="OGG", subtype="OPUS", compression_level=level)
    encoded.seek(0)
    decoded, _ = soundfile.read(encoded, dtype="float32")
    return np.pad(decoded[: len(wave)], (0, max(0, len(wave) - len(decoded))))
