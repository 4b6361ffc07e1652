"""Files of episodes: frames, actions and poses. Each frame is compressed separately and can be read alone.

    NNNNNN.npz    frame_0000.npy ...   (PIXELS, PIXELS, 3), uint8
                  actions.npy          (L - 1,), uint8, the action between two frames
                  poses.npy            (L, 3), float32, see `World.poses`

NumPy reads it: `np.load(path, allow_pickle=False)["frame_0031"]`.
"""

import zipfile
import zlib
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_file
from speechvq.video.world.interface import ACTIONS, PIXELS

_REMEDY = "run the recording command again"
_DAMAGE = (
    OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, MemoryError, NotImplementedError,
    IndexError, TypeError, AttributeError,  # the file holds other arrays
)  # fmt: skip


class Episode(NamedTuple):
    """Consecutive frames: an episode or a window of one."""

    frames: np.ndarray  # (L, PIXELS, PIXELS, 3), uint8
    actions: np.ndarray  # (L - 1,), int64, indices into ACTIONS; [t] leads from frame t to t + 1
    poses: np.ndarray  # (L, 3), float32


def write_episode(path: Path, episode: Episode) -> None:
    """Write an episode atomically; equal episodes give equal bytes.

    Raises:
        UserError: the disk is full or not writable.
    """
    frames = {_frame_name(t): frame for t, frame in enumerate(episode.frames)}
    with atomic_file(path) as temporary:
        actions = episode.actions.astype(np.uint8)
        np.savez_compressed(temporary, **frames, actions=actions, poses=episode.poses.astype(np.float32))


def read_window(path: Path, start: int, length: int) -> Episode:
    """Read `length` frames from frame `start` on, with their actions and poses.

    Raises:
        UserError: the file is missing, damaged, or not an episode.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            frames = [archive[_frame_name(t)] for t in range(start, start + length)]
            actions = archive["actions"][start : start + length - 1]
            poses = archive["poses"][start : start + length]
        episode = Episode(np.stack(frames), actions, poses)  # raises if frames differ in size
    except FileNotFoundError:
        raise UserError(f"{path}: this episode is missing; {_REMEDY}") from None
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged ({error}); remove it, then {_REMEDY}") from None
    if not _fits(episode, length):
        raise UserError(f"{path}: not an episode of {PIXELS} x {PIXELS} frames; remove it, then {_REMEDY}")
    return episode._replace(actions=actions.astype(np.int64))


def is_whole(path: Path, length: int) -> bool:
    """Whether the file is an episode of `length` frames; only the archive's index is checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            return set(archive.namelist()) == {
                *(f"{_frame_name(t)}.npy" for t in range(length)), "actions.npy", "poses.npy"
            }  # fmt: skip
    except _DAMAGE:
        return False


def _fits(episode: Episode, length: int) -> bool:
    """Whether shapes, types and actions are valid."""
    shapes = ((length, PIXELS, PIXELS, 3), (length - 1,), (length, 3))
    kinds = (np.uint8, np.uint8, np.float32)
    return all(
        array.shape == shape and array.dtype == kind for array, shape, kind in zip(episode, shapes, kinds)
    ) and bool((episode.actions < len(ACTIONS)).all())


def _frame_name(t: int) -> str:
    return f"frame_{t:04d}"
