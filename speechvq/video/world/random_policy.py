"""The random policy of recordings; it repeats actions, so that motion extends over several frames."""

import numpy as np

from speechvq.video.world.interface import ACTIONS

# Probability of choosing an action, and its minimum and maximum number of steps; our choice.
ACTION_DURATIONS = {
    "forward": (0.36, 4, 12),
    "back": (0.10, 2, 6),
    "left": (0.17, 2, 9),
    "right": (0.17, 2, 9),
    "strafe-left": (0.10, 2, 6),
    "strafe-right": (0.10, 2, 6),
}
_PROBABILITIES = np.array([ACTION_DURATIONS[action][0] for action in ACTIONS])
_TURNS = np.isin(ACTIONS, ("left", "right"))


class RandomPolicy:
    """Repeats an action for a random number of steps, then chooses another; turns when blocked by a wall."""

    def __init__(self, seed: int, episode: int) -> None:
        """
        Args:
            seed: of the recording.
            episode: number of the episode.
        """
        self._rng = np.random.default_rng((seed, 3, episode))
        self._action, self._left = -1, 0

    def act(self, blocked: bool) -> int:
        """The next action, an index into ACTIONS.

        Args:
            blocked: whether a wall stopped the last one.
        """
        if blocked or not self._left:
            probabilities = _PROBABILITIES * (_TURNS if blocked else np.arange(len(ACTIONS)) != self._action)
            self._action = int(self._rng.choice(len(ACTIONS), p=probabilities / probabilities.sum()))
            _, least, most = ACTION_DURATIONS[ACTIONS[self._action]]
            self._left = int(self._rng.integers(least, most + 1))
        self._left -= 1
        return self._action
