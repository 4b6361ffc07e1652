"""The interface of all worlds, and the actions."""

import difflib
import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np

from speechvq.errors import UserError

PIXELS = 84  # height and width of a frame, as in the paper's DeepMind Lab
ACTIONS = ("forward", "back", "left", "right", "strafe-left", "strafe-right")  # left and right turn


class World(Protocol):
    """A first-person world that simulates a batch of episodes."""

    batch_size: int  # preferred number of episodes

    @property
    def poses(self) -> np.ndarray:
        """Positions and headings, (B, 3), float32: x, y (downwards on the map), degrees clockwise."""

    @property
    def blocked(self) -> np.ndarray:
        """Whether a wall stopped the last step, (B,), bool."""

    def reset(self, episodes: Sequence[int]) -> np.ndarray:
        """Start episodes by number; returns their first frames, (B, PIXELS, PIXELS, 3), uint8."""

    def step(self, actions: np.ndarray) -> np.ndarray:
        """Take one action per episode, (B,), indices into ACTIONS; returns frames as of `reset`."""

    def close(self) -> None:
        """Release all resources; the world cannot be used afterwards."""


def check_actions(actions: np.ndarray, episodes: int) -> np.ndarray:
    """Validate the actions of a step.

    Args:
        actions: (B,), indices into ACTIONS.
        episodes: B.

    Returns:
        (B,), int64.

    Raises:
        ValueError: an action is unknown, or their number is not B.
    """
    actions = np.asarray(actions)
    if actions.shape != (episodes,) or not np.isin(actions, range(len(ACTIONS))).all():
        raise ValueError(f"actions {actions} for {episodes} episodes; one of 0 to {len(ACTIONS) - 1} each")
    return actions.astype(np.int64)


def parse_actions(text: str) -> list[int]:
    """Parse actions, for example "forward*10,right*3,forward", to indices into ACTIONS.

    Raises:
        UserError: an action is unknown, or a count is invalid.
    """
    actions: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*([a-z-]+)\s*(?:\*\s*([1-9][0-9]{0,5}))?\s*", part)
        if found is None or found[1] not in ACTIONS:
            raise UserError(
                f"{part.strip()!r} is not an action; write {', '.join(ACTIONS)} or forward*10{_nearest(part)}"
            )
        actions += [ACTIONS.index(found[1])] * int(found[2] or 1)
    return actions


def _nearest(part: str) -> str:
    """A suggestion of the most similar action."""
    name = part.split("*")[0].strip().lower()
    match = difflib.get_close_matches(name[:80], ACTIONS, n=1)
    return f"; did you mean '{match[0]}'?" if match and match[0] != part.strip() else ""
