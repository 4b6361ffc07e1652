"""Textures: seeded, tiling, distinct from one another, and equal in the mean at every sharpness."""

import colorsys

import numpy as np
import pytest

from speechvq.video.world.textures import FIRST_WALL, SHARPNESSES, SIZE, paint, wall_count

SEEDS = (0, 1, 7, 2**40)


@pytest.mark.parametrize("seed", SEEDS)
def test_a_seed_paints_the_same_every_time(seed: int) -> None:
    painted = paint(seed)
    assert painted.shape == (FIRST_WALL + wall_count(), SHARPNESSES, SIZE, SIZE, 3)
    assert painted.dtype == np.uint8 and painted.tobytes() == paint(seed).tobytes()
    assert not np.array_equal(painted, paint(seed + 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_no_two_walls_look_alike(seed: int) -> None:
    """Their mean colours differ by hue; each has light and dark, so that one sees it move."""
    walls = paint(seed)[FIRST_WALL:, 0] / 255.0
    hues = sorted(colorsys.rgb_to_hsv(*wall.mean((0, 1)))[0] for wall in walls)
    assert min(np.diff([*hues, hues[0] + 1])) > 0.03
    assert (walls.mean(-1).std((1, 2)) > 0.06).all()


def test_a_blunter_texture_is_the_mean_of_squares_of_the_sharp_one() -> None:
    for texture in paint(3):
        for level in range(SHARPNESSES):
            side = 1 << level
            for v, u in ((0, 0), (37, 5), (63, 63)):
                top, left = v // side * side, u // side * side
                square = texture[0, top : top + side, left : left + side].reshape(-1, 3)
                assert (abs(texture[level, v, u] - square.mean(0)) <= 0.5).all()


def test_textures_tile_sideways() -> None:
    """From one block to the next nothing jumps further than it does somewhere within."""
    for texture in paint(5)[:, 0].astype(int):
        jump = abs(texture[:, 0] - texture[:, -1]).sum(-1)
        within = abs(np.diff(texture, axis=1)).sum(-1)
        assert jump.mean() <= within.mean(0).max() + 12
