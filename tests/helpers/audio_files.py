"""Audio files for tests: valid ones, and invalid ones of several kinds."""

from pathlib import Path

import numpy as np
import soundfile

from helpers.tiny import speech_model
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.io import journal
from speechvq.speech.model_directory import save_model

INVALID_AUDIO = {
    "missing.wav": "no such file; check the path",
    "folder.wav": "folder",
    "text.wav": "not a readable audio file",
    "empty.wav": "empty, 0 bytes; copy or record it again",
    "header.wav": "has no samples; record it again or leave it out",
    "nan.wav": "holds NaN or infinite samples; export it again or leave it out",
    "cut.wav": "copy it again",
}
"""Names of the files that `write_invalid_audio` writes, each with a part of its error message."""


def write_tone(path: Path, *, samples: int = 1_603, rate: int = SAMPLE_RATE, channels: int = 1) -> Path:
    """Write a tone of rising frequency; the default length is not a multiple of any hop."""
    time = np.arange(samples) / rate
    wave = 0.3 * np.sin(2 * np.pi * (200 + 300 * time) * time)
    return write_samples(path, np.repeat(wave[:, None], channels, axis=1), rate)


def write_samples(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE) -> Path:
    """Write samples, (T,) or (T, channels), as 32-bit float."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.astype(np.float32), rate, subtype="FLOAT", format="WAV")
    return path


def write_invalid_audio(folder: Path, name: str) -> Path:
    """Write one of the files of INVALID_AUDIO and return its path; `missing.wav` is not written."""
    path = folder / name
    match name:
        case "folder.wav":
            path.mkdir(parents=True)
        case "text.wav":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("This is not audio.\n" * 40)
        case "empty.wav":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        case "header.wav":
            write_samples(path, np.empty(0))
        case "nan.wav":
            write_samples(path, np.array([0.1, np.nan, 0.2]))
        case "cut.wav":
            path.write_bytes(write_tone(path).read_bytes()[:-1_000])
    return path


def save_tiny_model(folder: Path, seed: int = 0) -> Path:
    """Save the tiny model with random weights in `model/` of a run directory; speakers ada, bob and cyd."""
    save_model(folder / "model", speech_model(seed=seed))
    return folder


def names(folder: Path) -> set[str]:
    """Relative paths of all files below a folder, without journals of finished results."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != journal.FILE_NAME]
    return {str(path.relative_to(folder)) for path in paths}
