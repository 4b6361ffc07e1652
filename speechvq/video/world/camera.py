"""A ray-casting renderer of mazes: one ray per column as in Wolfenstein 3D, four samples per pixel, in numba.

The image plane is at distance 1 from the eye and extends by SPREAD to all four sides. The depth of a ray is
measured along the viewing direction, which keeps walls straight. Walls have height 1 and the eye is at half
of it. The row at height h, from -1 at the top to 1, therefore meets ceiling or floor at depth 0.5 / (SPREAD
|h|), unless a wall is nearer. Light and colors are integers, so frames are equal to the byte if the geometry
is.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
from numba import njit

from speechvq.runtime.compilation.notice import compile_notice
from speechvq.video.world.interface import PIXELS
from speechvq.video.world.textures import CEILING, FLOOR, SHARPNESSES, SIZE

# numba's cache on disk tracks this file alone: touch it after changing a constant of another file.
SAMPLES = 2  # per pixel, in each direction
SPREAD = 0.75  # tan of half the field of view, 73.7 degrees
FULL_LIGHT = 256
STEPS, MAX_DEPTH = 16, 32  # light and sharpness of walls are tabulated in steps of 1/16 up to depth 32

WHOLE = FULL_LIGHT * SAMPLES**2
BITS = 21  # per color: 255 x WHOLE with rounding fits, and three colors fit an int64
FIELD, AREA = (1 << BITS) - 1, SIZE * SIZE
_COMPILED: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


class Tables(NamedTuple):
    """Values that do not depend on the eye's position; lines are rows or columns of samples."""

    offsets: np.ndarray  # (lines,), distance from the center, -1 to 1; the same for rows and columns
    row_depths: np.ndarray  # (lines,), depth at which a row meets floor or ceiling
    row_lights: np.ndarray  # (lines,), 0 to FULL_LIGHT
    row_sharpnesses: np.ndarray  # (lines,)
    wall_lights: np.ndarray  # (MAX_DEPTH x STEPS,)
    wall_sharpnesses: np.ndarray  # (MAX_DEPTH x STEPS,)


def tables() -> Tables:
    """The tables for frames of PIXELS x PIXELS."""
    lines = SAMPLES * PIXELS
    offsets = (2.0 * np.arange(lines) + 1.0) / lines - 1.0
    rows, walls = 0.5 / (SPREAD * abs(offsets)), np.arange(MAX_DEPTH * STEPS) / STEPS
    texels = 2.0 * SPREAD * SIZE / lines  # texels between two samples at depth 1
    row_texels = texels * rows * np.sqrt(2.0 * rows)  # geometric mean along and across the view
    return Tables(offsets, rows, light(rows), sharpness(row_texels), light(walls), sharpness(texels * walls))


def light(depths: np.ndarray) -> np.ndarray:
    """Light by depth, int64 in [0, FULL_LIGHT]: a lamp at the eye plus ambient light."""
    return (FULL_LIGHT * (0.2 + 0.8 / (1.0 + (depths / 4.0) ** 2))).astype(np.int64)


def sharpness(texels: np.ndarray) -> np.ndarray:
    """The mip level for a number of texels between two samples, int64."""
    return np.clip(np.log2(np.maximum(texels, 1.0)), 0, SHARPNESSES - 1).astype(np.int64)


def pack(textures: np.ndarray) -> np.ndarray:
    """Pack three colors into one integer, with room for the product with light and the sum over samples.

    Args:
        textures: (..., 3), uint8; see `textures.paint`.

    Returns:
        (...), int64.
    """
    red, green, blue = np.moveaxis(textures.astype(np.int64), -1, 0)
    return red | green << BITS | blue << 2 * BITS


_TABLES = tables()


def render(mazes: np.ndarray, eyes: np.ndarray, headings: np.ndarray, packed: np.ndarray) -> np.ndarray:
    """Render one frame in each maze.

    Args:
        mazes: (B, Y, X), uint8, with closed borders; see `maze.build_maze`.
        eyes: (B, 2), float64, x and y inside free blocks.
        headings: (B, 2), float64, unit vectors of the viewing directions.
        packed: (textures, SHARPNESSES, SIZE, SIZE), int64; see `pack`.

    Returns:
        (B, PIXELS, PIXELS, 3), uint8.
    """
    frames = np.empty((len(mazes), PIXELS, PIXELS, 3), np.uint8)
    _draw(frames, mazes, eyes, headings, packed.reshape(-1), _TABLES)
    return frames


@functools.cache
def compile_camera() -> None:
    """Compile the renderer, or load it from numba's cache; a compilation is logged."""
    closet = np.full((1, 3, 3), FLOOR + 1, np.uint8)
    closet[0, 1, 1] = 0
    with compile_notice("the camera"):
        blank = np.zeros((2, SHARPNESSES, SIZE, SIZE), np.int64)
        render(closet, np.full((1, 2), 1.5), np.eye(1, 2), blank)


@njit(**_COMPILED)
def _cast(maze, x, y, dx, dy):  # type: ignore[no-untyped-def]
    """The nearest wall along a ray: its depth, texture, position on the wall, and whether it faces along y.

    Grid lines are crossed one by one. Each depth is computed from the origin, so errors do not accumulate.
    """
    inverse_x, inverse_y = 1.0 / (dx if dx != 0.0 else 1e-12), 1.0 / (dy if dy != 0.0 else 1e-12)
    block_x, block_y = int(x), int(y)
    step_x, step_y = 1 if inverse_x > 0.0 else -1, 1 if inverse_y > 0.0 else -1
    line_x, line_y = block_x + (step_x > 0), block_y + (step_y > 0)
    while True:
        depth_x, depth_y = (line_x - x) * inverse_x, (line_y - y) * inverse_y
        along_y = depth_y <= depth_x
        if along_y:
            block_y, line_y = block_y + step_y, line_y + step_y
        else:
            block_x, line_x = block_x + step_x, line_x + step_x
        texture = maze[block_y, block_x]
        if texture:
            depth = depth_y if along_y else depth_x
            place = x + depth * dx if along_y else y + depth * dy
            return depth, texture, place - np.floor(place), along_y


@njit(**_COMPILED)
def _cast_all(rays, papers, lights, maze, x, y, heading, tables):  # type: ignore[no-untyped-def]
    """Cast one ray per column of samples: direction and depth (3, lines), and the wall's texels and light."""
    for column in range(len(papers)):
        aside = SPREAD * tables.offsets[column]
        dx, dy = heading[0] - aside * heading[1], heading[1] + aside * heading[0]
        depth, wall, place, along_y = _cast(maze, x, y, dx, dy)
        step = min(int(depth * STEPS), len(tables.wall_lights) - 1)
        rays[0, column], rays[1, column], rays[2, column] = dx, dy, depth
        papers[column] = (wall * SHARPNESSES + tables.wall_sharpnesses[step]) * AREA + int(place * SIZE)
        lights[column] = tables.wall_lights[step] * 3 // 4 if along_y else tables.wall_lights[step]


@njit(**_COMPILED)
def _find_row(spots, rays, papers, x, y, plane, height, far):  # type: ignore[no-untyped-def]
    """The texel of each sample of a row: floor or ceiling if it is nearer than the wall, else the wall.

    Both are computed; without a branch the compiler vectorizes the loop.
    """
    size, edge, zero = np.int32(SIZE), np.int32(SIZE - 1), np.int32(0)
    for column in range(len(spots)):
        u = np.int32((x + far * rays[0, column]) * SIZE) & edge
        v = np.int32((y + far * rays[1, column]) * SIZE) & edge
        down = np.int32((0.5 + height * rays[2, column]) * SIZE)
        on_plane, on_wall = plane + size * v + u, papers[column] + size * min(max(down, zero), edge)
        spots[column] = on_plane if far < rays[2, column] else on_wall


@njit(**_COMPILED)
def _add_row(sums, spots, depths, lights, texels, far, shine):  # type: ignore[no-untyped-def]
    """Add the lit texels of a row of samples to its pixels."""
    for pixel in range(len(sums)):
        total = sums[pixel]
        for column in range(SAMPLES * pixel, SAMPLES * pixel + SAMPLES):
            # Unsigned, because numba checks signed indices for negative values.
            total += texels[np.uint64(spots[column])] * (shine if far < depths[column] else lights[column])
        sums[pixel] = total


@njit(**_COMPILED)
def _draw(frames, mazes, eyes, headings, texels, tables):  # type: ignore[no-untyped-def]
    """Render into frames (B, H, W, 3); `texels` is flat."""
    lines, width = len(tables.offsets), frames.shape[2]
    rays, lights = np.empty((3, lines)), np.empty(lines, np.int64)
    papers, spots, sums = np.empty(lines, np.int32), np.empty(lines, np.int32), np.empty(width, np.int64)
    half = WHOLE // 2  # rounds the quotients
    for b in range(len(frames)):
        x, y = eyes[b, 0], eyes[b, 1]
        _cast_all(rays, papers, lights, mazes[b], x, y, headings[b], tables)
        for line in range(lines):
            row, far, height = line // SAMPLES, tables.row_depths[line], SPREAD * tables.offsets[line]
            if line % SAMPLES == 0:
                sums[:] = half | half << BITS | half << 2 * BITS
            plane = ((CEILING if height < 0 else FLOOR) * SHARPNESSES + tables.row_sharpnesses[line]) * AREA
            _find_row(spots, rays, papers, x, y, np.int32(plane), height, far)
            _add_row(sums, spots, rays[2], lights, texels, far, tables.row_lights[line])
            if line % SAMPLES == SAMPLES - 1:
                for pixel in range(width):
                    for channel in range(3):
                        frames[b, row, pixel, channel] = (sums[pixel] >> channel * BITS & FIELD) // WHOLE
