"""Audio and images as data URLs, so that a page is a single file."""

import base64
import io
from pathlib import Path

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.errors import UserError


def audio_url(path: Path) -> str:
    """A recording at 16 kHz; see `waveform_url`.

    Raises:
        UserError: the recording cannot be read.
    """
    return waveform_url(read_waveform(path))


def waveform_url(wave: np.ndarray) -> str:
    """A waveform (T,) at 16 kHz as FLAC, which every browser plays and which is half the size of WAV."""
    import soundfile

    encoded = io.BytesIO()
    soundfile.write(encoded, np.clip(wave, -1.0, 1.0), SAMPLE_RATE, format="FLAC", subtype="PCM_16")
    return "data:audio/flac;base64," + base64.b64encode(encoded.getvalue()).decode()


def image_url(path: Path) -> str:
    """A PNG or GIF file; its suffix says which.

    Raises:
        UserError: the file cannot be read.
    """
    return file_url(path, f"image/{path.suffix[1:]}")


def file_url(path: Path, kind: str) -> str:
    """A file of a media type, for example "image/png".

    Raises:
        UserError: the file cannot be read.
    """
    try:
        return f"data:{kind};base64," + base64.b64encode(path.read_bytes()).decode()
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; run the command that makes it again") from None
