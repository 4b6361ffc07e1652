"""Where an imagined video begins: in a recorded episode, or with pictures of the user's."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.errors import UserError
from speechvq.images.folder import SUFFIXES, LoadReport, load_image
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import episode_path, read_recording
from speechvq.video.world.interface import PIXELS


class InitialContext(NamedTuple):
    """Frames that are given, and where they come from; `episode` is -1 for pictures of the user's."""

    frames: np.ndarray  # (past, H, W, 3), uint8
    root: Path
    episode: int
    last: int  # number of the last frame in the episode


def read_initial_context(start: str, root: Path, past: int) -> InitialContext:
    """The frames that are given.

    Args:
        start: as a user writes it: EPISODE, EPISODE:FRAME or a folder of pictures.
        root: of the recording.
        past: how many frames are wanted.

    Raises:
        UserError: no such episode, frame or folder; a number of pictures other than wanted, or a broken one.
    """
    found = re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,9}))?", start)
    if found is None:
        return InitialContext(_pictures(Path(start), past), root, -1, -1)
    recording, number, first, needed = read_recording(root), int(found[1]), int(found[2] or 0), max(past, 1)
    if number >= recording.episodes:
        raise UserError(f"--start {start}: {root} has episodes 0 to {recording.episodes - 1}")
    if first + needed > recording.frames:
        most = recording.frames - needed
        raise UserError(f"--start {start}: {past} frames are given, so begin at frame 0 to {most}")
    frames = read_window(episode_path(root, number), first, needed).frames[:past]
    return InitialContext(frames, root, number, first + needed - 1)


def recorded_actions(begun: InitialContext, frames: int) -> np.ndarray:
    """What was done in the episode after the frames that are given, (frames,), int64.

    Raises:
        UserError: nobody knows.
    """
    if begun.episode < 0:
        raise UserError("--actions is missing; say what is done, for example forward*10")
    left = read_recording(begun.root).frames - 1 - begun.last
    if frames > left:
        raise UserError(f"--frames {frames}: only {left} actions follow in the episode; give --actions")
    return read_window(episode_path(begun.root, begun.episode), begun.last, frames + 1).actions


def _pictures(folder: Path, past: int) -> np.ndarray:
    """The pictures of a folder in the order of their names, (past, H, W, 3)."""
    if not folder.is_dir():
        raise UserError(
            f"--start {folder}: give an episode, perhaps with a frame (20:30), or a folder of pictures"
        )
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if len(paths) != past:
        raise UserError(f"{folder}: {len(paths)} pictures, and {past} are wanted; the oldest first by name")
    try:
        frames = [load_image(path, PIXELS, LoadReport()).transpose(1, 2, 0) for path in paths]
    except UserError as error:
        raise UserError(f"{str(error).removesuffix('; skipped')}; give another picture") from None
    return np.stack(frames) if frames else np.empty((0, PIXELS, PIXELS, 3), np.uint8)
