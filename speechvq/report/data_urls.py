"""Sounds and pictures as data URLs, so that a page needs no file but itself."""

import base64
import io
from pathlib import Path

from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.errors import UserError


def audio_url(path: Path) -> str:
    """A sound at 16 kHz as FLAC, which every browser plays and which takes half the room of WAV.

    Raises:
        UserError: the sound cannot be read.
    """
    import numpy as np
    import soundfile

    encoded = io.BytesIO()
    wave = np.clip(read_waveform(path), -1.0, 1.0)
    soundfile.write(encoded, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(encoded.getvalue()).decode()


def image_url(path: Path) -> str:
    """A PNG or a GIF, as its name says.

    Raises:
        UserError: there is none.
    """
    try:
        return f"data:image/{path.suffix[1:]};base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; make the picture again") from None
