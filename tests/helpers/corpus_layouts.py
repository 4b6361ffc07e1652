"""Miniature corpora: files of a few bytes for tests of file discovery, tones for tests that read audio."""

from pathlib import Path

import numpy as np
import soundfile


def write_tone(
    path: Path, *, seconds: float = 0.3, rate: int = 16_000, channels: int = 1, edge: float = 0.2
) -> None:
    """Write a tone between two silences of `edge` seconds; the suffix of the path sets the format."""
    time = np.arange(round(seconds * rate)) / rate
    silence = np.zeros(round(edge * rate))
    wave = np.concatenate([silence, 0.3 * np.sin(2 * np.pi * 300 * time), silence])
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, np.tile(wave[:, None], channels), rate, **options)


def write_files(root: Path, *names: str, content: str = "x") -> None:
    """Write text files below `root` and create their parent folders."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
