"""The renderer equals a slow one that tests all grid lines and samples."""

import functools
import math

import numpy as np
import pytest

from helpers.tiny import python
from speechvq.video.world.camera import MAX_DEPTH, SPREAD, compile_camera, pack, render
from speechvq.video.world.interface import PIXELS
from speechvq.video.world.maze import build_maze, free_places
from speechvq.video.world.textures import CEILING, FLOOR, SHARPNESSES, SIZE, paint

LINES = 2 * PIXELS


@functools.cache
def textures() -> np.ndarray:
    return paint(0)


def light(depth: float) -> int:
    return int(256 * (0.2 + 0.8 / (1 + (depth / 4) ** 2)))


def level(texels: float) -> int:
    return min(int(math.log2(max(texels, 1))), SHARPNESSES - 1)


def nearest_wall(
    maze: np.ndarray, x: float, y: float, dx: float, dy: float
) -> tuple[float, int, float, bool]:
    """Depth, texture, position on the wall and side of the nearest crossing with the grid."""
    crossings = []
    for line in range(len(maze) + 1):
        if dx and (depth := (line - x) * (1 / dx)) >= 0:
            v, u = int(y + depth * dy), line if dx > 0 else line - 1
            crossings.append((depth, v, u, y + depth * dy, False))
        if dy and (depth := (line - y) * (1 / dy)) >= 0:
            v, u = line if dy > 0 else line - 1, int(x + depth * dx)
            crossings.append((depth, v, u, x + depth * dx, True))
    inside = [c for c in crossings if 0 <= c[1] < len(maze) and 0 <= c[2] < len(maze) and maze[c[1], c[2]]]
    depth, v, u, place, along_y = min(inside)
    return depth, maze[v, u], place % 1, along_y


def sample(maze: np.ndarray, eye: np.ndarray, heading: np.ndarray, line: int, column: int) -> np.ndarray:
    """The lit color of one of the four samples of a pixel, (3,), times 256."""
    height, aside = (2 * line + 1) / LINES - 1, SPREAD * ((2 * column + 1) / LINES - 1)
    dx, dy = heading[0] - aside * heading[1], heading[1] + aside * heading[0]
    depth, wall, place, along_y = nearest_wall(maze, *eye, dx, dy)
    texels, far = 2 * SPREAD * SIZE / LINES, 0.5 / (SPREAD * abs(height))
    if far < depth:
        u, v = int((eye[0] + far * dx) % 1 * SIZE), int((eye[1] + far * dy) % 1 * SIZE)
        texture = textures()[CEILING if height < 0 else FLOOR, level(texels * far * math.sqrt(2 * far))]
        return texture[v, u].astype(int) * light(far)
    step = math.floor(depth * 16) / 16
    shine = light(step) * 3 // 4 if along_y else light(step)
    v = int((0.5 + height * SPREAD * depth) * SIZE)
    texture = textures()[wall, level(texels * step)]
    return texture[min(max(v, 0), SIZE - 1), int(place * SIZE)].astype(int) * shine


def pixel(maze: np.ndarray, eye: np.ndarray, heading: np.ndarray, row: int, column: int) -> np.ndarray:
    corners = [(2 * row + i, 2 * column + j) for i in range(2) for j in range(2)]
    return (sum(sample(maze, eye, heading, *corner) for corner in corners) + 512) // 1024


def directions(degrees: np.ndarray) -> np.ndarray:
    return np.stack([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))], axis=-1)


def scenes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    mazes = np.stack([build_maze(0, number) for number in range(count)])
    eyes = np.stack([rng.choice(free_places(maze)) + rng.uniform(0.15, 0.85, 2) for maze in mazes])
    return mazes, eyes, directions(rng.uniform(0, 360, count))


def test_pixels_are_exact() -> None:
    mazes, eyes, headings = scenes(12)
    frames = render(mazes, eyes, headings, pack(textures()))
    rng = np.random.default_rng(1)
    for maze, eye, heading, frame in zip(mazes, eyes, headings, frames):
        for row, column in rng.integers(PIXELS, size=(60, 2)):
            assert frame[row, column].tolist() == pixel(maze, eye, heading, row, column).tolist()


@pytest.mark.parametrize("degrees", [0, 45, 90, 135, 180, 270])
def test_frames_from_grid_lines_are_exact(degrees: int) -> None:
    """The eye is on a grid line with rays along it, which risks division by zero and ties."""
    maze = np.full((1, 9, 9), 4, np.uint8)
    maze[0, 1:8, 1:8] = 0
    eye, heading = np.array([[4.0, 3.0]]), directions(np.array([degrees], float)).round(12)
    frame = render(maze, eye, heading, pack(textures()))[0]
    for row, column in np.random.default_rng(degrees).integers(PIXELS, size=(60, 2)):
        assert frame[row, column].tolist() == pixel(maze[0], eye[0], heading[0], row, column).tolist()


def test_a_frame_does_not_depend_on_its_batch() -> None:
    mazes, eyes, headings = scenes(7)
    packed = pack(textures())
    together = render(mazes, eyes, headings, packed)
    assert together.tobytes() == render(mazes, eyes, headings, packed).tobytes()
    for i in range(7):
        alone = render(mazes[i : i + 1], eyes[i : i + 1], headings[i : i + 1], packed)
        assert alone.tobytes() == together[i].tobytes()


def test_the_largest_depth_is_within_the_tables() -> None:
    maze = np.full((1, 3, 2 * MAX_DEPTH), 3, np.uint8)
    maze[0, 1, 1:-1] = 0
    frame = render(maze, np.array([[1.2, 1.5]]), np.array([[1.0, 0.0]]), pack(textures()))[0]
    assert frame.shape == (PIXELS, PIXELS, 3) and frame.any()


def test_a_white_room_shows_straight_walls_and_even_light() -> None:
    """A wall ahead at depth d is 84 / (2 SPREAD d) pixels high in every column."""
    white = np.full_like(textures(), 255)
    white[[FLOOR, CEILING]] = 0
    room = np.full((1, 5, 5), 2, np.uint8)
    room[0, 1:4, 1:4] = 0
    for eye_x, depth in ((1.5, 2.5), (2.5, 1.5), (3.0, 1.0)):
        frame = render(room, np.array([[eye_x, 2.5]]), np.array([[1.0, 0.0]]), pack(white))[0]
        ahead = frame[:, PIXELS // 2 - 8 : PIXELS // 2 + 8]
        assert (ahead == ahead[:, :1]).all() and ahead.max() == (255 * light(depth) + 128) // 256
        assert (ahead[:, 0, 0].astype(float) / ahead.max()).sum() == pytest.approx(
            PIXELS / (2 * SPREAD * depth), abs=0.51
        )


def test_a_second_process_uses_the_compiled_code_on_disk() -> None:
    compile_camera()
    script = (
        "from speechvq.video.world import camera\n"
        "camera.compile_camera()\n"
        "print(sum(camera._draw.stats.cache_hits.values()), sum(camera._draw.stats.cache_misses.values()))\n"
    )
    printed, error = python("-c", script).communicate(timeout=120)
    assert printed == "1 0\n", error
