"""Replaying an episode with other actions from a given frame on."""

from pathlib import Path

import numpy as np

from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import episode_path, read_recording


def ground_truth_frames(root: Path, number: int, start: int, actions: np.ndarray) -> np.ndarray | None:
    """The frames that follow a recorded frame under given actions.

    The built-in maze is simulated again. For another world, only the recorded actions have known frames.

    Args:
        root: of the recording.
        number: of the episode.
        start: index of the frame before the first action.
        actions: (L,), indices into ACTIONS.

    Returns:
        (L, H, W, 3), uint8; None if they are unknown.

    Raises:
        UserError: there is no recording, or the episode is missing or damaged.
    """
    recording = read_recording(root)
    if start + len(actions) < recording.frames:
        episode = read_window(episode_path(root, number), start, len(actions) + 1)
        if np.array_equal(episode.actions, actions):
            return episode.frames[1:]
    if recording.world != "maze":
        return None
    from speechvq.video.world.maze_world import MazeWorld  # imports numba

    before = read_window(episode_path(root, number), 0, start + 1).actions
    world = MazeWorld(recording.seed)
    world.reset([number])
    frames = [world.step(np.array([action]))[0] for action in (*before, *actions)]
    return np.stack(frames[start:])
