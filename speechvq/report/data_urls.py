"""Audio and images as data URLs, so that a page is a single file."""

import base64
import io
from pathlib import Path

from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.errors import UserError


def audio_url(path: Path) -> str:
    """A recording at 16 kHz as FLAC, which every browser plays and which is half the size of WAV.

    Raises:
        UserError: the recording cannot be read.
    """
    import numpy as np
    import soundfile

    encoded = io.BytesIO()
    wave = np.clip(read_waveform(path), -1.0, 1.0)
    soundfile.write(encoded, wave, SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(encoded.getvalue()).decode()


def image_url(path: Path) -> str:
    """A PNG or GIF file; its suffix says which.

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return f"data:image/{path.suffix[1:]};base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run the command that makes it again") from None
