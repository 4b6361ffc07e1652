"""Recordings that a page sends: their names, and limits of size and length."""

from pathlib import Path

from speechvq.audio.waveform import SAMPLE_RATE, LoadedAudio, audio_seconds, read_audio
from speechvq.errors import UserError, printable

MAX_BYTES = 32 << 20  # of an upload; a minute of stereo WAV at 96 kHz
MAX_SECONDS = 60.0  # of a recording
MAX_NAME = 80  # characters

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
    audio = read_audio(path)
    check_seconds(path, len(audio.samples) / SAMPLE_RATE)
    return audio


def check_seconds(path: Path, seconds: float) -> None:
    """Refuse a recording that is longer than a minute.

    Raises:
        UserError: it is.
    """
    if seconds > MAX_SECONDS + 0.5:
        raise UserError(
            f"{path}: {seconds:.0f} s long; send at most {MAX_SECONDS:.0f} s, or convert it by "
            "python -m speechvq.convert"
        )
