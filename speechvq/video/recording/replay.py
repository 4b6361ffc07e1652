"""An episode lived again: the same maze from the same place, and from some frame on other actions."""

from pathlib import Path

import numpy as np

from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import episode_path, read_recording


def ground_truth_frames(root: Path, number: int, start: int, actions: np.ndarray) -> np.ndarray | None:
    """What is seen when some actions are done after a frame of a recorded episode.

    The built-in maze is walked again. Another world's future is known as far as the recording goes, and only
    for the actions that were done there.

    Args:
        root: of the recording.
        number: of the episode.
        start: the frame after which the actions begin.
        actions: (L,), places in world.ACTIONS.

    Returns:
        (L, H, W, 3), uint8; None where nobody knows.

    Raises:
        UserError: no recording there, or the episode is missing or damaged.
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
    seen = [world.step(np.array([action]))[0] for action in (*before, *actions)]
    return np.stack(seen[start:])
