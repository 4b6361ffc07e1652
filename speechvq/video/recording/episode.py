"""An episode in a file: frames, actions and poses; each frame is packed by itself and can be read alone.

    NNNNNN.npz    frame_0000.npy ...   (PIXELS, PIXELS, 3), uint8
                  actions.npy          (L - 1,), uint8: what was done between a frame and the next
                  poses.npy            (L, 3), float32, see World.poses

numpy reads it without ours: `np.load(path, allow_pickle=False)["frame_0031"]`.
"""

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file
from speechvq.video.world.interface import ACTIONS, PIXELS

_REMEDY = "the command that recorded it makes it again"
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError, NotImplementedError,
    IndexError, TypeError, AttributeError,  # arrays of another kind in its place
)  # fmt: skip


class Episode(NamedTuple):
    """Some frames in a row, of a whole episode or a window of it."""

    frames: np.ndarray  # (L, PIXELS, PIXELS, 3), uint8
    actions: np.ndarray  # (L - 1,), int64, places in ACTIONS: [t] leads from frame t to frame t + 1
    poses: np.ndarray  # (L, 3), float32


def write_episode(path: Path, episode: Episode) -> None:
    """Write an episode atomically; the same episode gives the same bytes.

    Raises:
        UserError: the disk is full or not writable.
    """
    frames = {_frame_name(t): frame for t, frame in enumerate(episode.frames)}
    with atomic_file(path) as temporary:
        actions = episode.actions.astype(np.uint8)
        np.savez_compressed(temporary, **frames, actions=actions, poses=episode.poses.astype(np.float32))


def read_window(path: Path, start: int, length: int) -> Episode:
    """Frames `start` to `start` + `length` with what was done between them; only these are unpacked.

    Raises:
        UserError: the file is missing, damaged or truncated, or holds something else.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            frames = [archive[_frame_name(t)] for t in range(start, start + length)]
            actions = archive["actions"][start : start + length - 1]
            poses = archive["poses"][start : start + length]
        episode = Episode(np.stack(frames), actions, poses)  # refuses frames of different sizes
    except FileNotFoundError:
        raise UserError(f"{path}: this episode is missing; {_REMEDY}") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged ({error}); remove it, then {_REMEDY}") from None
    if not _fits(episode, length):
        raise UserError(f"{path}: not an episode of {PIXELS} x {PIXELS} frames; remove it, then {_REMEDY}")
    return episode._replace(actions=actions.astype(np.int64))


def is_whole(path: Path, length: int) -> bool:
    """Whether an episode of so many frames lies there, as far as the archive's index tells."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) == {
                *(f"{_frame_name(t)}.npy" for t in range(length)), "actions.npy", "poses.npy"
            }  # fmt: skip
    except _DAMAGE:
        return False


def _fits(episode: Episode, length: int) -> bool:
    """Whether shapes and types are those that are written."""
    shapes = ((length, PIXELS, PIXELS, 3), (length - 1,), (length, 3))
    kinds = (np.uint8, np.uint8, np.float32)
    return all(
        array.shape == shape and array.dtype == kind for array, shape, kind in zip(episode, shapes, kinds)
    ) and bool((episode.actions < len(ACTIONS)).all())


def _frame_name(t: int) -> str:
    return f"frame_{t:04d}"
