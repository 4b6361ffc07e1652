"""The context frames of a sampled video: from a recorded episode, or from image files."""

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.errors import UserError
from speechvq.images.folder import SUFFIXES, LoadReport, load_image
from speechvq.io.folders import files_in
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import episode_path, read_recording
from speechvq.video.world.interface import PIXELS


class InitialContext(NamedTuple):
    """Context frames and their origin."""

    frames: np.ndarray  # (context_frames, H, W, 3), uint8
    root: Path  # of the recording, or the folder of images
    episode: int  # -1 for image files
    last: int  # index of the last frame in the episode; -1 for image files


def read_initial_context(start: str, root: Path, context_frames: int) -> InitialContext:
    """Read the context frames.

    Args:
        start: EPISODE, EPISODE:FRAME or a folder of images, as given by the user.
        root: of the recording.
        context_frames: number of frames.

    Raises:
        UserError: there is no such episode, frame or folder, the folder has another number of images, or an
            image is damaged.
    """
    found = re.fullmatch(r"([0-9]{1,9})(?::([0-9]{1,9}))?", start)
    if found is None:
        return InitialContext(_read_images(Path(start), context_frames), root, -1, -1)
    recording, number, first, needed = (
        read_recording(root),
        int(found[1]),
        int(found[2] or 0),
        max(context_frames, 1),
    )
    if number >= recording.episodes:
        raise UserError(f"--start {start}: {root} has episodes 0 to {recording.episodes - 1}")
    if first + needed > recording.frames:
        most = recording.frames - needed
        raise UserError(
            f"--start {start}: {context_frames} context frames are needed, so give a frame from 0 to {most}"
        )
    frames = read_window(episode_path(root, number), first, needed).frames[:context_frames]
    return InitialContext(frames, root, number, first + needed - 1)


def recorded_actions(context: InitialContext, frames: int) -> np.ndarray:
    """The recorded actions after the context frames, (frames,), int64.

    Raises:
        UserError: the context is not from an episode, or the episode is too short.
    """
    if context.episode < 0:
        raise UserError("--actions is missing; give actions, for example forward*10")
    left = read_recording(context.root).frames - 1 - context.last
    if frames > left:
        raise UserError(f"--frames {frames}: the episode has only {left} more actions; give --actions")
    return read_window(episode_path(context.root, context.episode), context.last, frames + 1).actions


def _read_images(folder: Path, context_frames: int) -> np.ndarray:
    """The images of a folder in the order of their names, (context_frames, H, W, 3), uint8."""
    if not folder.is_dir():
        raise UserError(
            f"--start {folder}: give EPISODE, EPISODE:FRAME (for example 20:30) or a folder of images"
        )
    paths = files_in(folder, SUFFIXES)
    if len(paths) != context_frames:
        raise UserError(
            f"{folder}: {len(paths)} images, expected {context_frames}; file names in order of time"
        )
    try:
        frames = [load_image(path, PIXELS, LoadReport()).transpose(1, 2, 0) for path in paths]
    except UserError as error:
        raise UserError(f"{str(error).removesuffix('; skipped')}; give another image") from None
    return np.stack(frames) if frames else np.empty((0, PIXELS, PIXELS, 3), np.uint8)
