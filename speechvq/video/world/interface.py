"""What every world offers: six actions, one frame for each, and where everybody is."""

import difflib
import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from speechvq.errors import UserError

PIXELS = 84  # a side of a frame, as in the paper's DeepMind Lab
ACTIONS = ("forward", "back", "left", "right", "strafe-left", "strafe-right")  # left and right turn


class World(Protocol):
    """A first-person world in which several episodes are played side by side."""

    batch_size: int  # episodes it plays at once with profit

    @property
    def poses(self) -> np.ndarray:
        """Where everybody is, (B, 3), float32: x, y (downwards on the map), heading in degrees clockwise."""

    @property
    def blocked(self) -> np.ndarray:
        """Whose last step a wall stopped, (B,), bool."""

    def reset(self, episodes: Sequence[int]) -> np.ndarray:
        """Begin some episodes by their numbers; their first frames, (B, PIXELS, PIXELS, 3), uint8."""

    def step(self, actions: np.ndarray) -> np.ndarray:
        """One action each, (B,), places in ACTIONS, and what is seen then, (B, PIXELS, PIXELS, 3), uint8."""

    def close(self) -> None:
        """Give back what the world holds; nothing can be played after it."""


def check_actions(actions: np.ndarray, episodes: int) -> np.ndarray:
    """The actions of a step as they came, (B,).

    Raises:
        ValueError: other than one known action for each of so many episodes.
    """
    actions = np.asarray(actions)
    if actions.shape != (episodes,) or not np.isin(actions, range(len(ACTIONS))).all():
        raise ValueError(f"actions {actions} for {episodes} episodes; one of 0 to {len(ACTIONS) - 1} each")
    return actions.astype(np.int64)


def parse_actions(text: str) -> list[int]:
    """Actions as a user writes them, for example "forward*10,right*3,forward"; their places in ACTIONS.

    Raises:
        UserError: an unknown action, or a count that is none.
    """
    actions: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([a-z-]+)\s*(?:\*\s*([1-9][0-9]{0,5}))?\s*", part)
        if found is None or found[1] not in ACTIONS:
            raise UserError(
                f"{part.strip()!r} is no action; write {', '.join(ACTIONS)}, or forward*10{_nearest(part)}"
            )
        actions += [ACTIONS.index(found[1])] * int(found[2] or 1)
    return actions


def _nearest(part: str) -> str:
    """The action that somebody may have meant."""
    name = part.split("*")[0].strip().lower()
    match = difflib.get_close_matches(name[:80], ACTIONS, n=1)
    return f"; did you mean '{match[0]}'?" if match and match[0] != part.strip() else ""
