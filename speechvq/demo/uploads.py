"""Recordings that a page sends: their names, and limits of size and length."""

from pathlib import Path

import numpy as np

from speechvq.audio.formats import FORMATS_REMEDY, conversion_remedy
from speechvq.audio.waveform import SAMPLE_RATE, LoadedAudio, audio_seconds, read_audio
from speechvq.errors import UserError, printable

MAX_BYTES = 32 << 20  # of an upload; a minute of stereo WAV at 96 kHz
MAX_SECONDS = 60.0  # of a recording
MAX_NAME = 80  # characters
SILENT_PEAK = 1e-3  # -60 dB of full scale: our choice; noise of a muted microphone is lower, speech higher

TOO_LARGE = f"The file is too large; send at most {MAX_BYTES >> 20} MB."


def file_name(requested: str) -> str:
    """A name for an upload within a folder of its own: the requested one as far as it can be used."""
    name = printable(Path(requested.replace("\\", "/")).name).replace("\\", "_").strip(". ")
    suffix = Path(name).suffix[:10]
    return (name.removesuffix(suffix)[: MAX_NAME - len(suffix)] + suffix) or "recording"


def read_upload(path: Path) -> LoadedAudio:
    """A recording, mono at 16 kHz.

    Raises:
        UserError: not audio, without samples, or longer than a minute.
    """
    check_seconds(path, audio_seconds(path))  # before it is decoded
    try:
        audio = read_audio(path)
    except UserError as error:
        if remedy := conversion_remedy(path):  # a command, for which a page is no place
            raise UserError(str(error).replace(remedy, FORMATS_REMEDY)) from None
        raise
    check_seconds(path, len(audio.samples) / SAMPLE_RATE)
    return audio


def check_seconds(path: Path, seconds: float) -> None:
    """Refuse a recording that is longer than a minute.

    Raises:
        UserError: it is.
    """
    if seconds > MAX_SECONDS + 0.5:
        raise UserError(f"{path}: {seconds:.0f} s long; cut it to {MAX_SECONDS:.0f} s")


def silence_warning(path: Path, samples: np.ndarray) -> str:
    """A sentence if a recording (T,) holds nothing but silence, else ""."""
    silent = np.abs(samples).max(initial=0.0) < SILENT_PEAK
    return f"No speech was found in {path.name}: was the microphone muted?" if silent else ""
