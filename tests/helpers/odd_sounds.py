"""Sounds as users have them: good ones, odd ones, and files that are none."""

from pathlib import Path

import numpy as np
import soundfile

from helpers.tiny import speech_model
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.model_directory import save_model

BAD = {
    "missing.wav": "no such file; check the path",
    "folder.wav": "folder",
    "text.wav": "not a readable audio file",
    "empty.wav": "empty, 0 bytes; copy or record it again",
    "header.wav": "has no samples; record it again or leave it out",
    "nan.wav": "holds NaN or infinite samples; export it again or leave it out",
    "cut.wav": "copy it again",
}
"""Names of what `write_bad` writes, and what is said of each."""


def write_tone(path: Path, *, samples: int = 1_603, rate: int = SAMPLE_RATE, channels: int = 1) -> Path:
    """A sweeping tone; its length is no multiple of any hop."""
    time = np.arange(samples) / rate
    wave = 0.3 * np.sin(2 * np.pi * (200 + 300 * time) * time)
    return write_samples(path, np.repeat(wave[:, None], channels, axis=1), rate)


def write_samples(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE) -> Path:
    """Any samples, (T,) or (T, channels), as 32-bit float."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples.astype(np.float32), rate, subtype="FLOAT", format="WAV")
    return path


def write_bad(folder: Path, name: str) -> Path:
    """One of BAD."""
    path = folder / name
    match name:
        case "folder.wav":
            path.mkdir(parents=True)
        case "text.wav":
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("This is no sound.\n" * 40)
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
    """A run directory's `model/`: the tiny model with random weights and the voices ada, bob and cyd."""
    save_model(folder / "model", speech_model(seed=seed))
    return folder


def names(folder: Path) -> set[str]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
