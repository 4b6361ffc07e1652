"""The built-in world: first-person walks through random mazes, in batches."""

import math
from collections.abc import Sequence

import numpy as np

from speechvq.video.world.camera import compile_camera, pack, render
from speechvq.video.world.interface import check_actions
from speechvq.video.world.maze import build_maze, free_places
from speechvq.video.world.textures import paint

STRIDE = 0.2  # blocks per action
TURN = 10  # degrees per action
RADIUS = 0.2  # blocks, half the width of the walker

_FULL_CIRCLE = 360 // TURN
_HEADINGS = np.array(
    [(math.cos(math.radians(TURN * i)), math.sin(math.radians(TURN * i))) for i in range(_FULL_CIRCLE)]
)
# Strides forward, strides to the right and turns to the right of each action.
_MOVES = np.array([(1, 0, 0), (-1, 0, 0), (0, 0, -1), (0, 0, 1), (0, -1, 0), (0, 1, 0)])


class MazeWorld:
    """One maze per episode; all have the textures of the seed.

    Episode n of a seed is equal to the byte in any batch. y grows downwards on the map, so headings grow
    clockwise; heading 0 is along x.
    """

    batch_size = 16

    def __init__(self, seed: int) -> None:
        """
        Args:
            seed: at least 0.
        """
        compile_camera()
        self.seed, self.textures = seed, pack(paint(seed))
        self._begin([])

    def _begin(self, episodes: Sequence[int]) -> None:
        mazes = [build_maze(self.seed, number) for number in episodes]
        starts = [_start(maze, self.seed, number) for maze, number in zip(mazes, episodes)]
        self.mazes = np.stack(mazes) if mazes else np.zeros((0, 1, 1), np.uint8)
        self.places = np.array([place for place, _ in starts], np.float64).reshape(-1, 2)
        self.turns = np.array([turn for _, turn in starts], np.int64)
        self.blocked = np.zeros(len(mazes), bool)

    @property
    def poses(self) -> np.ndarray:
        """(B, 3), float32: x and y in blocks, heading in degrees in [0, 360)."""
        return np.column_stack([self.places, TURN * self.turns]).astype(np.float32)

    def reset(self, episodes: Sequence[int]) -> np.ndarray:
        """Start episodes by number; returns their first frames, (B, 84, 84, 3), uint8."""
        self._begin(episodes)
        return self._look()

    def step(self, actions: np.ndarray) -> np.ndarray:
        """Take one action in each episode.

        Args:
            actions: (B,), integers, indices into ACTIONS.

        Returns:
            The next frames, (B, 84, 84, 3), uint8.

        Raises:
            ValueError: an action is unknown, or their number is not that of the episodes.
        """
        ahead, aside, turn = _MOVES[check_actions(actions, len(self.turns))].T
        heading = _HEADINGS[self.turns]
        right = np.column_stack([-heading[:, 1], heading[:, 0]])
        self._walk(STRIDE * (ahead[:, None] * heading + aside[:, None] * right))
        self.turns = (self.turns + turn) % _FULL_CIRCLE
        return self._look()

    def close(self) -> None:
        """Do nothing; there are no resources to release."""

    def _walk(self, strides: np.ndarray) -> None:
        """Move by (B, 2), one axis after the other, which slides along walls; updates `blocked`."""
        before = self.places.copy()
        for axis in range(2):
            moved = self.places.copy()
            moved[:, axis] += strides[:, axis]
            self.places = np.where(self._fits(moved)[:, None], moved, self.places)
        distance = np.hypot(*(self.places - before).T)
        self.blocked = distance < 0.5 * np.hypot(*strides.T)

    def _fits(self, places: np.ndarray) -> np.ndarray:
        """Whether a square of half width RADIUS is free, (B,), bool; its corners suffice."""
        index, fits = np.arange(len(places)), np.ones(len(places), bool)
        for corner in ((-RADIUS, -RADIUS), (-RADIUS, RADIUS), (RADIUS, -RADIUS), (RADIUS, RADIUS)):
            x, y = (places + corner).astype(int).T
            fits &= self.mazes[index, y, x] == 0
        return fits

    def _look(self) -> np.ndarray:
        return render(self.mazes, self.places, _HEADINGS[self.turns], self.textures)


def _start(maze: np.ndarray, seed: int, number: int) -> tuple[np.ndarray, int]:
    """A random position near the center of a free block, and a number of turns."""
    rng = np.random.default_rng((seed, 2, number))
    places = free_places(maze)
    place = places[rng.integers(len(places))] + rng.uniform(0.5 - RADIUS, 0.5 + RADIUS, 2)
    return place, int(rng.integers(_FULL_CIRCLE))
