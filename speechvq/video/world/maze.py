"""Seeded mazes on a grid of blocks: corridors, loops and halls, papered by regions."""

import numpy as np

from speechvq.video.world.textures import FIRST_WALL, wall_count

CELLS = 5  # a side
WIDE = 2  # blocks a cell; walls between cells are one block thick
BLOCKS = CELLS * (WIDE + 1) + 1  # a side
OPENED = 0.35  # of the walls that a perfect maze leaves standing: loops and halls
REGIONS = 4  # papers a maze
PICTURES = 0.08  # of the wall blocks


def build_maze(seed: int, number: int) -> np.ndarray:
    """Maze `number` of a seed.

    Returns:
        (BLOCKS, BLOCKS), uint8, indexed [y, x]: 0 where one can walk, else the wall's texture. The border is
        closed, and every free block can be reached from every other.
    """
    rng = np.random.default_rng((seed, 1, number))
    free = _carved(_ways(rng))
    return np.where(free, 0, _papers(rng)).astype(np.uint8)


def free_places(maze: np.ndarray) -> np.ndarray:
    """Blocks one can stand on, (N, 2), int64: x and y."""
    return np.argwhere(maze == 0)[:, ::-1]


def _ways(rng: np.random.Generator) -> np.ndarray:
    """Which cells are joined, (2, CELLS, CELLS), bool: [0] with that to the right, [1] with that below.

    A perfect maze by depth-first search, then some more.
    """
    ways, seen, path = rng.random((2, CELLS, CELLS)) < OPENED, {(0, 0)}, [(0, 0)]
    while path:
        y, x = path[-1]
        near = [(y, x + 1), (y + 1, x), (y, x - 1), (y - 1, x)]
        ahead = [cell for cell in near if min(cell) >= 0 and max(cell) < CELLS and cell not in seen]
        if not ahead:
            path.pop()
            continue
        v, u = ahead[rng.integers(len(ahead))]
        ways[int(v != y), min(y, v), min(x, u)] = True
        seen.add((v, u))
        path.append((v, u))
    ways[0, :, -1] = ways[1, -1] = False  # the border
    return ways


def _carved(ways: np.ndarray) -> np.ndarray:
    """The blocks that are free, (BLOCKS, BLOCKS), bool; a post between four joined cells is taken away."""
    free, pitch = np.zeros((BLOCKS, BLOCKS), bool), WIDE + 1
    for y, x in np.ndindex(CELLS, CELLS):
        top, left = y * pitch + 1, x * pitch + 1
        right, below = ways[:, y, x]
        free[top : top + WIDE, left : left + WIDE + right] = True
        free[top : top + WIDE + below, left : left + WIDE] = True
        if right and below and ways[1, y, x + 1] and ways[0, y + 1, x]:
            free[top + WIDE, left + WIDE] = True
    return free


def _papers(rng: np.random.Generator) -> np.ndarray:
    """A texture for each block: that of the nearest of some places, and here and there a picture."""
    picture = FIRST_WALL + wall_count() - 1
    papers = FIRST_WALL + rng.permutation(wall_count() - 1)[:REGIONS]
    places = rng.uniform(0, BLOCKS, (REGIONS, 2))
    y, x = np.mgrid[:BLOCKS, :BLOCKS]
    nearest = np.argmin((y[..., None] - places[:, 0]) ** 2 + (x[..., None] - places[:, 1]) ** 2, axis=-1)
    return np.where(rng.random(nearest.shape) < PICTURES, picture, papers[nearest])
