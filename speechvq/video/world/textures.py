"""Procedural textures of the built-in world: several kinds of walls, floor and ceiling, with random colors.

All textures tile. Each has several levels of sharpness (a mip map), which prevents aliasing of distant walls.
"""

import colorsys
from collections.abc import Callable

import numpy as np

SIZE = 64  # texels per side
SHARPNESSES = 5  # of 64, 32, 16, 8 and 4 distinct texels per side
FLOOR, CEILING, FIRST_WALL = 0, 1, 2  # indices of textures; further walls follow
HUES = (0.0, 0.07, 0.14, 0.3, 0.47, 0.58, 0.7, 0.87)  # red to pink, perceptually about equally spaced

_Y, _X = np.mgrid[:SIZE, :SIZE]


def paint(seed: int) -> np.ndarray:
    """Paint the textures of a seed.

    Returns:
        (textures, SHARPNESSES, SIZE, SIZE, 3), uint8: floor, ceiling, then the walls; rows run downwards.
    """
    rng = np.random.default_rng((seed, 0))
    hues = rng.permutation(HUES) + rng.uniform(-0.015, 0.015, len(HUES))
    floor, ceiling = _colored(_slabs(rng), rng.random(), 0.18), _colored(_panels(rng), rng.random(), 0.12)
    walls = [_colored(wall(rng), hue, 0.62) for wall, hue in zip(WALLS, hues)]
    return np.stack([_mip_levels(texture) for texture in (floor, ceiling, *walls)])


def wall_count() -> int:
    """The number of wall textures."""
    return len(WALLS)


def _colored(bright: np.ndarray, hue: float, saturation: float) -> np.ndarray:
    """Brightness (SIZE, SIZE) in 0 to 1 as uint8 colors; bright texels are less saturated."""
    full = np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, 1.0))
    pale = np.array(colorsys.hsv_to_rgb(hue % 1.0, 0.35 * saturation, 1.0))
    value = np.clip(bright, 0, 1)[..., None]
    return np.round(255 * value * (full + (pale - full) * value**2)).astype(np.uint8)


def _mip_levels(texture: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE, 3) to (SHARPNESSES, SIZE, SIZE, 3): means over 1, 2, 4, ... texels, upsampled."""
    sharpnesses = []
    for side in (1 << level for level in range(SHARPNESSES)):
        squares = texture.reshape(SIZE // side, side, SIZE // side, side, 3).mean(axis=(1, 3))
        sharpnesses.append(np.round(squares).astype(np.uint8).repeat(side, 0).repeat(side, 1))
    return np.stack(sharpnesses)


def _noise(rng: np.random.Generator, across: int, down: int) -> np.ndarray:
    """Smooth periodic noise, (SIZE, SIZE) in [-1, 1], with a number of peaks in each direction."""
    hills = rng.uniform(-1, 1, (down, across))
    return _resized(_resized(hills, 1), 0)


def _resized(values: np.ndarray, axis: int) -> np.ndarray:
    """Resize one axis to SIZE by periodic cosine interpolation."""
    place = np.arange(SIZE) * values.shape[axis] / SIZE
    left = place.astype(int)
    weight = (0.5 - 0.5 * np.cos(np.pi * (place - left))).reshape((-1, 1) if axis == 0 else (1, -1))
    right = (left + 1) % values.shape[axis]
    return values.take(left, axis) * (1 - weight) + values.take(right, axis) * weight


def _blocks(rng: np.random.Generator, wide: int, high: int, joint: int, shift: int = 0) -> np.ndarray:
    """Rows of blocks of random brightness with dark joints; every second row is shifted by `shift` texels."""
    row = _Y // high
    x = (_X + shift * (row % 2)) % SIZE
    brightness = rng.uniform(0.62, 0.88, (SIZE // high, SIZE // wide))[row, x // wide]
    return np.where((x % wide < joint) | (_Y % high < joint), 0.28, brightness)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    return _blocks(rng, 32, 16, 3, shift=16) + 0.07 * _noise(rng, 16, 16)


def _stones(rng: np.random.Generator) -> np.ndarray:
    """Two by two blocks, lit from above."""
    rounded = 0.12 * np.sin(2 * np.pi * (_Y % 32) / 32) + 0.06 * np.sin(2 * np.pi * (_X % 32) / 32)
    return _blocks(rng, 32, 32, 3) - 0.08 + rounded + 0.05 * _noise(rng, 8, 8)


def _planks(rng: np.random.Generator) -> np.ndarray:
    """Vertical boards with grain along them."""
    brightness = rng.uniform(0.5, 0.85, 4)[_X // 16]
    return np.where(_X % 16 < 2, 0.2, brightness + 0.14 * _noise(rng, 32, 2))


def _checks(rng: np.random.Generator) -> np.ndarray:
    return np.where((_X // 16 + _Y // 16) % 2, 0.9, 0.38) + 0.04 * _noise(rng, 8, 8)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    return np.where((_X + _Y) % 32 < 16, 0.88, 0.42) + 0.04 * _noise(rng, 8, 8)


def _discs(rng: np.random.Generator) -> np.ndarray:
    distance = np.hypot(_X % 32 - 15.5, _Y % 32 - 15.5)
    return np.where(distance < 11, 0.92, 0.5) - 0.3 * (abs(distance - 11) < 1.5) + 0.04 * _noise(rng, 8, 8)


def _bands(rng: np.random.Generator) -> np.ndarray:
    """Plaster above and panels below, separated by a rail."""
    below = np.where(_X % 32 < 3, 0.25, 0.5)
    return np.where(_Y < 36, 0.85, np.where(_Y < 42, 0.3, below)) + 0.05 * _noise(rng, 8, 8)


def _landmark(rng: np.random.Generator) -> np.ndarray:
    """A framed pattern of rings on plaster, used as a landmark."""
    from_middle = np.maximum(abs(_X - 31.5), abs(_Y - 31.5))
    rings = 0.55 + 0.4 * np.sign(np.sin(np.hypot(_X - 31.5, _Y - 31.5) / 2.6))
    plaster = 0.72 + 0.05 * _noise(rng, 8, 8)
    return np.select([from_middle < 18, from_middle < 22], [rings, np.full_like(rings, 0.18)], plaster)


def _slabs(rng: np.random.Generator) -> np.ndarray:
    return 0.85 * _blocks(rng, 32, 32, 2) + 0.04 * _noise(rng, 16, 16)


def _panels(rng: np.random.Generator) -> np.ndarray:
    """Panels with a lamp in the center of each block."""
    lamp = (abs(_X - 31.5) < 12) & (abs(_Y - 31.5) < 6)
    joint = (_X < 2) | (_Y < 2)
    return np.where(lamp, 1.0, np.where(joint, 0.3, 0.52 + 0.03 * _noise(rng, 8, 8)))


WALLS: tuple[Callable[[np.random.Generator], np.ndarray], ...] = (
    _bricks, _stones, _planks, _checks, _stripes, _discs, _bands, _landmark,
)  # fmt: skip
