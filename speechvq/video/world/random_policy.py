"""The player who records: random, but long at one thing, so that motion can be seen."""

import numpy as np

from speechvq.video.world.interface import ACTIONS

# How likely an action is to be taken up, and for how many steps at least and at most; our choice.
ACTION_DURATIONS = {
    "forward": (0.36, 4, 12),
    "back": (0.10, 2, 6),
    "left": (0.17, 2, 9),
    "right": (0.17, 2, 9),
    "strafe-left": (0.10, 2, 6),
    "strafe-right": (0.10, 2, 6),
}
_CHANCES = np.array([ACTION_DURATIONS[action][0] for action in ACTIONS])
_TURNS = np.isin(ACTIONS, ("left", "right"))


class RandomPolicy:
    """Goes on with an action for a while, then takes up another; whom a wall stops turns."""

    def __init__(self, seed: int, episode: int) -> None:
        """The player of one episode, who sees nothing and feels walls."""
        self._rng = np.random.default_rng((seed, 3, episode))
        self._action, self._left = -1, 0

    def act(self, blocked: bool) -> int:
        """The next action, a place in ACTIONS.

        Args:
            blocked: whether a wall stopped the last one.
        """
        if blocked or not self._left:
            chances = _CHANCES * (_TURNS if blocked else np.arange(len(ACTIONS)) != self._action)
            self._action = int(self._rng.choice(len(ACTIONS), p=chances / chances.sum()))
            _, least, most = ACTION_DURATIONS[ACTIONS[self._action]]
            self._left = int(self._rng.integers(least, most + 1))
        self._left -= 1
        return self._action
