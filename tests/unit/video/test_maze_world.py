"""The built-in world: effects of actions, walls, and reproducible episodes."""

import numpy as np
import pytest

from speechvq.video.world.maze_world import RADIUS, STRIDE, TURN, MazeWorld

FORWARD, BACK, LEFT, RIGHT, STRAFE_LEFT, STRAFE_RIGHT = range(6)


def walk(world: MazeWorld, steps: int, seed: int = 0) -> list[np.ndarray]:
    """Frames of a random walk with the same actions in all episodes."""
    rng = np.random.default_rng(seed)
    return [world.step(np.full(len(world.poses), rng.integers(6))) for _ in range(steps)]


def apart(world: MazeWorld, action: int) -> tuple[np.ndarray, np.ndarray]:
    """The effect of an action: displacement forward and right (B, 2), and turn (B,)."""
    before = world.poses.astype(float)
    world.step(np.full(len(before), action))
    x, y, turn = (world.poses - before).T
    heading = np.radians(before[:, 2])
    ahead, right = x * np.cos(heading) + y * np.sin(heading), y * np.cos(heading) - x * np.sin(heading)
    return np.stack([ahead, right], axis=1), (turn + 180) % 360 - 180


@pytest.mark.parametrize(
    ("action", "way", "turn"),
    [
        (FORWARD, (STRIDE, 0), 0),
        (BACK, (-STRIDE, 0), 0),
        (LEFT, (0, 0), -TURN),
        (RIGHT, (0, 0), TURN),
        (STRAFE_LEFT, (0, -STRIDE), 0),
        (STRAFE_RIGHT, (0, STRIDE), 0),
    ],
)
def test_the_effect_of_each_action(action: int, way: tuple[float, float], turn: int) -> None:
    world = MazeWorld(0)
    world.reset(range(40))
    moved, turned = apart(world, action)
    free = ~world.blocked & (abs(np.hypot(*moved.T) - np.hypot(*way)) < 1e-3)
    assert free.sum() > 25 and (turned == turn).all()
    assert moved[free] == pytest.approx(np.tile(way, (free.sum(), 1)), abs=1e-5)


def test_moving_right_shifts_the_image_left() -> None:
    """The content of the image moves left after a turn to the right, and vice versa."""
    world = MazeWorld(0)
    for action, side in ((RIGHT, 1), (LEFT, -1)):
        before = world.reset([3])[0].astype(int)
        after = world.step(np.array([action]))[0].astype(int)
        band = slice(36, 48)  # far things near the horizon
        errors = {
            shift: abs(after[band, 20:64] - before[band, 20 + shift : 64 + shift]).mean()
            for shift in range(-20, 21)
        }
        assert 7 <= side * min(errors, key=errors.__getitem__) <= 14


def test_an_episode_is_reproducible_in_any_batch() -> None:
    together, alone = MazeWorld(5), MazeWorld(5)
    first = together.reset([4, 9, 2])
    frames = walk(together, 20)
    assert alone.reset([9]).tobytes() == first[1:2].tobytes()
    for a, b in zip(walk(alone, 20), frames):
        assert a.tobytes() == b[1:2].tobytes()
    assert alone.poses.tobytes() == together.poses[1:2].tobytes()
    assert alone.reset([9]).tobytes() == first[1:2].tobytes(), "a world can be used again"
    assert MazeWorld(6).reset([9]).tobytes() != first[1:2].tobytes()


def test_a_full_turn_gives_the_same_frame() -> None:
    world = MazeWorld(0)
    first = world.reset(range(3))
    for _ in range(360 // TURN):
        last = world.step(np.full(3, RIGHT))
    assert last.tobytes() == first.tobytes()


def test_the_walker_keeps_its_distance_from_walls() -> None:
    world = MazeWorld(1)
    world.reset(range(30))
    rng = np.random.default_rng(0)
    bumps = 0
    for _ in range(150):
        world.step(rng.choice(6, 30, p=[0.5, 0.1, 0.1, 0.1, 0.1, 0.1]))
        bumps += world.blocked.sum()
        for maze, (x, y, _) in zip(world.mazes, world.poses.astype(float)):
            top, left = int(y - RADIUS + 1e-6), int(x - RADIUS + 1e-6)
            assert not maze[top : int(y + RADIUS) + 1, left : int(x + RADIUS) + 1].any()
    assert bumps > 100


def test_walls_block_frontal_motion_and_allow_sliding() -> None:
    world = MazeWorld(0)
    world.reset([0])
    world.mazes[0] = 2
    world.mazes[0, 1:3, 1:10] = 0
    world.places[0] = 1.5, 1.25  # the wall is above, at y = 1
    world.turns[0] = (360 - 30) // TURN
    world.step(np.array([FORWARD]))
    assert world.poses[0, 0] == pytest.approx(1.5 + STRIDE * np.cos(np.radians(30))) and not world.blocked[0]
    assert world.poses[0, 1] == pytest.approx(1.25), "only along the wall"
    world.turns[0] = 270 // TURN
    before = world.poses
    frame = world.step(np.array([FORWARD]))
    assert world.blocked[0] and np.array_equal(world.poses, before)
    assert np.array_equal(world.step(np.array([FORWARD])), frame)
    world.step(np.array([LEFT]))
    assert not world.blocked[0], "one can always turn"


@pytest.mark.parametrize("actions", [[0], [0, 1, 2], [0, 6], [-1, 0], [0.5, 1], [[0, 1]], []])
def test_wrong_actions_are_refused(actions: list[int]) -> None:
    world = MazeWorld(0)
    world.reset([0, 1])
    with pytest.raises(ValueError, match="for 2 episodes; one of 0 to 5 each"):
        world.step(np.array(actions))


def test_frames_have_the_documented_shape_and_type() -> None:
    world = MazeWorld(0)
    frames = world.reset(range(5))
    assert frames.shape == (5, 84, 84, 3) and frames.dtype == np.uint8 and frames.flags.c_contiguous
    assert world.poses.shape == (5, 3) and world.poses.dtype == np.float32
    assert frames.std() > 30 and world.reset([]).shape == (0, 84, 84, 3)
