"""Corpora in miniature, made on the fly: a few bytes where only finding them is tested, tones elsewhere."""

from pathlib import Path

import numpy as np
import soundfile


def write_tone(
    path: Path, *, seconds: float = 0.3, rate: int = 16_000, channels: int = 1, edge: float = 0.2
) -> None:
    """A tone between two silences of `edge` seconds, any format by the name's ending; parents are made."""
    time = np.arange(round(seconds * rate)) / rate
    quiet = np.zeros(round(edge * rate))
    sound = np.concatenate([quiet, 0.3 * np.sin(2 * np.pi * 300 * time), quiet])
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = {"format": "OGG", "subtype": "OPUS"} if path.suffix == ".opus" else {}
    soundfile.write(path, np.tile(sound[:, None], channels), rate, **kind)


def write_files(root: Path, *names: str, content: str = "x") -> None:
    """Files below `root`, their parents made."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content, encoding="utf-8")
