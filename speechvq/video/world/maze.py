"""Random mazes on a grid of blocks, with corridors, loops and halls; wall textures vary by region."""

import numpy as np

from speechvq.video.world.textures import FIRST_WALL, wall_count

CELLS = 5  # per side
CELL_WIDTH = 2  # blocks; walls between cells are one block thick
BLOCKS = CELLS * (CELL_WIDTH + 1) + 1  # per side
OPENED = 0.35  # fraction of a perfect maze's walls that is removed, which makes loops and halls
REGIONS = 4  # with a wall texture each
LANDMARKS = 0.08  # fraction of wall blocks with a landmark texture


def build_maze(seed: int, number: int) -> np.ndarray:
    """Build maze `number` of a seed.

    Returns:
        (BLOCKS, BLOCKS), uint8, indexed [y, x]: 0 for a free block, else the wall's texture. The border
        is closed, and all free blocks are connected.
    """
    rng = np.random.default_rng((seed, 1, number))
    free = _free_blocks(_connections(rng))
    return np.where(free, 0, _wall_textures(rng)).astype(np.uint8)


def free_places(maze: np.ndarray) -> np.ndarray:
    """x and y of all free blocks, (N, 2), int64."""
    return np.argwhere(maze == 0)[:, ::-1]


def _connections(rng: np.random.Generator) -> np.ndarray:
    """Which cells are connected, (2, CELLS, CELLS), bool: [0] to the right neighbor, [1] to the one below.

    A perfect maze by depth-first search, with further random connections.
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


def _free_blocks(ways: np.ndarray) -> np.ndarray:
    """The free blocks, (BLOCKS, BLOCKS), bool; a block between four connected cells is free too."""
    free, spacing = np.zeros((BLOCKS, BLOCKS), bool), CELL_WIDTH + 1
    for y, x in np.ndindex(CELLS, CELLS):
        top, left = y * spacing + 1, x * spacing + 1
        right, below = ways[:, y, x]
        free[top : top + CELL_WIDTH, left : left + CELL_WIDTH + right] = True
        free[top : top + CELL_WIDTH + below, left : left + CELL_WIDTH] = True
        if right and below and ways[1, y, x + 1] and ways[0, y + 1, x]:
            free[top + CELL_WIDTH, left + CELL_WIDTH] = True
    return free


def _wall_textures(rng: np.random.Generator) -> np.ndarray:
    """A wall texture for each block: that of the nearest region center, or randomly the landmark."""
    landmark = FIRST_WALL + wall_count() - 1
    textures = FIRST_WALL + rng.permutation(wall_count() - 1)[:REGIONS]
    places = rng.uniform(0, BLOCKS, (REGIONS, 2))
    y, x = np.mgrid[:BLOCKS, :BLOCKS]
    nearest = np.argmin((y[..., None] - places[:, 0]) ** 2 + (x[..., None] - places[:, 1]) ** 2, axis=-1)
    return np.where(rng.random(nearest.shape) < LANDMARKS, landmark, textures[nearest])
