"""Textures are reproducible, tile, are distinguishable, and have equal means at every mip level."""

import colorsys

import numpy as np
import pytest

from speechvq.video.world.textures import FIRST_WALL, SHARPNESSES, SIZE, paint, wall_count

SEEDS = (0, 1, 7, 2**40)


@pytest.mark.parametrize("seed", SEEDS)
def test_textures_are_reproducible(seed: int) -> None:
    painted = paint(seed)
    assert painted.shape == (FIRST_WALL + wall_count(), SHARPNESSES, SIZE, SIZE, 3)
    assert painted.dtype == np.uint8 and painted.tobytes() == paint(seed).tobytes()
    assert not np.array_equal(painted, paint(seed + 1))


@pytest.mark.parametrize("seed", SEEDS)
def test_walls_are_distinguishable(seed: int) -> None:
    """Mean colors differ in hue; each has contrast, so that motion is visible."""
    walls = paint(seed)[FIRST_WALL:, 0] / 255.0
    hues = sorted(colorsys.rgb_to_hsv(*wall.mean((0, 1)))[0] for wall in walls)
    assert min(np.diff([*hues, hues[0] + 1])) > 0.03
    assert (walls.mean(-1).std((1, 2)) > 0.06).all()


def test_mip_levels_are_means_of_squares() -> None:
    for texture in paint(3):
        for level in range(SHARPNESSES):
            side = 1 << level
            for v, u in ((0, 0), (37, 5), (63, 63)):
                top, left = v // side * side, u // side * side
                square = texture[0, top : top + side, left : left + side].reshape(-1, 3)
                assert (abs(texture[level, v, u] - square.mean(0)) <= 0.5).all()


def test_textures_tile_horizontally() -> None:
    """The largest step between neighboring blocks is not larger than within a block."""
    for texture in paint(5)[:, 0].astype(int):
        jump = abs(texture[:, 0] - texture[:, -1]).sum(-1)
        within = abs(np.diff(texture, axis=1)).sum(-1)
        assert jump.mean() <= within.mean(0).max() + 12
