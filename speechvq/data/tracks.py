"""F0 and glottal phase of a prepared recording, in a file beside it: tracked once, and read in training.

    OUT/audio/SPEAKER/UTT.safetensors    f0, (F,) float32; phase, (T,) uint8

The file's metadata hold the version of the trackers, every number in their settings, and the size of the
recording's file. Tracks of another version, or of a file that was replaced, are taken as missing.
"""

from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from speechvq.audio import f0 as f0_tracker
from speechvq.audio import glottal_phase as phase_tracker
from speechvq.audio import linear_prediction
from speechvq.audio.f0 import F0_HOP, f0_contour
from speechvq.audio.glottal_phase import glottal_phase
from speechvq.audio.waveform import read_waveform
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.io.journal import settings_digest

ALGORITHM = 1  # raised when a tracker gives other results with the same settings


class Tracks(NamedTuple):
    """What the networks need to know of a voice besides its codes."""

    f0: np.ndarray  # (F,), float32, Hz, 0 where unvoiced, F = ceil(T / 160)
    phase: np.ndarray  # (T,), uint8, phase bins of `audio.glottal_phase`


def track(wave: np.ndarray) -> Tracks:
    """Tracks of a waveform (T,), float32, 16 kHz."""
    f0 = f0_contour(wave)
    return Tracks(f0, glottal_phase(wave, f0))


def tracks_path(sound: Path) -> Path:
    """The file beside a recording."""
    return sound.with_suffix(".safetensors")


@lru_cache(maxsize=1)
def version() -> str:
    """Digest of the algorithm and all its numbers: another one gives other tracks."""
    modules = (f0_tracker, phase_tracker, linear_prediction)
    numbers = [
        {name: value for name, value in vars(module).items() if isinstance(value, int | float)}
        for module in modules
    ]
    return settings_digest({"algorithm": ALGORITHM, "numbers": numbers})


def write_tracks(sound: Path) -> None:
    """Track a recording as it is in its file, and write the tracks beside it, atomically.

    Raises:
        UserError: the recording cannot be read; the disk is full or not writable.
    """
    tracks = track(read_waveform(sound))
    content = save({"f0": tracks.f0, "phase": tracks.phase}, _metadata(sound))
    write_bytes(tracks_path(sound), content)


def read_tracks(sound: Path) -> Tracks | None:
    """The tracks beside a recording; None if there are none of this version and this recording."""
    try:
        with safe_open(tracks_path(sound), framework="np") as file:
            if file.metadata() != _metadata(sound) or set(file.keys()) != {"f0", "phase"}:
                return None
            tracks = Tracks(file.get_tensor("f0"), file.get_tensor("phase"))
    except (OSError, SafetensorError):
        return None
    kinds = tracks.f0.dtype == np.float32 and tracks.phase.dtype == np.uint8
    lengths = tracks.f0.shape == (-(-len(tracks.phase) // F0_HOP),) and tracks.phase.ndim == 1
    return tracks if kinds and lengths and np.isfinite(tracks.f0).all() else None


def f0_of(sound: Path) -> np.ndarray:
    """F0 contour of a recording: (F,), from its tracks if it has them.

    Raises:
        UserError: it has none, and cannot be read.
    """
    tracks = read_tracks(sound)
    return f0_contour(read_waveform(sound)) if tracks is None else tracks.f0


def _metadata(sound: Path) -> dict[str, str]:
    try:
        # One entry: safetensors writes several in a random order, and equal tracks must be equal files.
        return {"tracks": f"{version()} of {sound.stat().st_size} bytes"}
    except OSError as error:
        raise UserError(f"{sound}: cannot be read ({error.strerror}); prepare the corpus again") from None
