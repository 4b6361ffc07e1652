"""Mazes are reproducible, closed, connected and different from one another."""

import numpy as np
import pytest

from speechvq.video.world.maze import BLOCKS, CELLS, build_maze, free_places
from speechvq.video.world.textures import FIRST_WALL, wall_count

NUMBERS = range(40)


def reached(maze: np.ndarray, x: int, y: int) -> int:
    """The number of blocks connected to one."""
    seen, ahead = {(x, y)}, [(x, y)]
    while ahead:
        x, y = ahead.pop()
        for place in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
            if not maze[place[1], place[0]] and place not in seen:
                seen.add(place)
                ahead.append(place)
    return len(seen)


@pytest.mark.parametrize("seed", [0, 1, 12345])
def test_mazes_are_closed_and_connected(seed: int) -> None:
    for number in NUMBERS:
        maze = build_maze(seed, number)
        assert maze.shape == (BLOCKS, BLOCKS) and maze.dtype == np.uint8
        assert maze[0].all() and maze[-1].all() and maze[:, 0].all() and maze[:, -1].all()
        places = free_places(maze)
        assert len(places) == (maze == 0).sum() >= 4 * CELLS**2 + 2 * (CELLS**2 - 1)
        assert all(maze[y, x] == 0 for x, y in places) and reached(maze, *places[0]) == len(places)
        assert set(np.unique(maze[maze > 0])) <= set(range(FIRST_WALL, FIRST_WALL + wall_count()))


def test_a_number_always_gives_the_same_maze() -> None:
    mazes = {build_maze(seed, number).tobytes() for seed in range(3) for number in NUMBERS}
    assert len(mazes) == 3 * len(NUMBERS)
    assert build_maze(2, 17).tobytes() == build_maze(2, 17).tobytes()


def test_mazes_have_regions_halls_and_landmarks() -> None:
    poster = FIRST_WALL + wall_count() - 1
    mazes = np.stack([build_maze(0, number) for number in NUMBERS])
    papers = [len(set(np.unique(maze)) - {0, poster}) for maze in mazes]
    assert max(papers) == 4 and min(papers) >= 2
    assert 0.05 < (mazes == poster).sum() / (mazes > 0).sum() < 0.11
    assert len({int((maze == 0).sum()) for maze in mazes}) > 5, "more or fewer walls are taken away"
