"""Procedural textures of the built-in world: walls of several kinds, floor and ceiling, coloured by a seed.

Every texture tiles, and comes in several sharpnesses (a mip map), so that what is far away neither glitters
nor flickers when the camera moves.
"""

import colorsys
from collections.abc import Callable

import numpy as np

SIZE = 64  # texels a side
SHARPNESSES = 5  # of 64, 32, 16, 8 and 4 different texels a side
FLOOR, CEILING, FIRST_WALL = 0, 1, 2  # numbers of textures; the walls' go on from the last
HUES = (0.0, 0.07, 0.14, 0.3, 0.47, 0.58, 0.7, 0.87)  # red to pink, about equally far apart to the eye

_Y, _X = np.mgrid[:SIZE, :SIZE]


def paint(seed: int) -> np.ndarray:
    """The textures of a seed.

    Returns:
        (textures, SHARPNESSES, SIZE, SIZE, 3), uint8: floor, ceiling, then the walls; rows run downwards.
    """
    rng = np.random.default_rng((seed, 0))
    hues = rng.permutation(HUES) + rng.uniform(-0.015, 0.015, len(HUES))
    floor, ceiling = _coloured(_slabs(rng), rng.random(), 0.18), _coloured(_panels(rng), rng.random(), 0.12)
    walls = [_coloured(wall(rng), hue, 0.62) for wall, hue in zip(WALLS, hues)]
    return np.stack([_blurred(texture) for texture in (floor, ceiling, *walls)])


def wall_count() -> int:
    """How many wall textures there are."""
    return len(WALLS)


def _coloured(bright: np.ndarray, hue: float, saturation: float) -> np.ndarray:
    """Brightness (SIZE, SIZE) in 0 to 1 as uint8 colours; what is bright is paler, as in daylight."""
    full = np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, 1.0))
    pale = np.array(colorsys.hsv_to_rgb(hue % 1.0, 0.35 * saturation, 1.0))
    share = np.clip(bright, 0, 1)[..., None]
    return np.round(255 * share * (full + (pale - full) * share**2)).astype(np.uint8)


def _blurred(texture: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE, 3) to (SHARPNESSES, SIZE, SIZE, 3): means of squares of 1, 2, 4, ... texels, in place."""
    sharpnesses = []
    for side in (1 << level for level in range(SHARPNESSES)):
        squares = texture.reshape(SIZE // side, side, SIZE // side, side, 3).mean(axis=(1, 3))
        sharpnesses.append(np.round(squares).astype(np.uint8).repeat(side, 0).repeat(side, 1))
    return np.stack(sharpnesses)


def _noise(rng: np.random.Generator, across: int, down: int) -> np.ndarray:
    """Smooth noise that tiles, (SIZE, SIZE) in -1 to 1, with so many hills each way."""
    hills = rng.uniform(-1, 1, (down, across))
    return _stretched(_stretched(hills, 1), 0)


def _stretched(values: np.ndarray, axis: int) -> np.ndarray:
    """Stretch one axis to SIZE, going round, with cosine interpolation."""
    place = np.arange(SIZE) * values.shape[axis] / SIZE
    left = place.astype(int)
    share = (0.5 - 0.5 * np.cos(np.pi * (place - left))).reshape((-1, 1) if axis == 0 else (1, -1))
    right = (left + 1) % values.shape[axis]
    return values.take(left, axis) * (1 - share) + values.take(right, axis) * share


def _blocks(rng: np.random.Generator, wide: int, high: int, joint: int, shift: int = 0) -> np.ndarray:
    """Blocks in rows, each of its own brightness, with dark joints; every second row is moved by `shift`."""
    row = _Y // high
    x = (_X + shift * (row % 2)) % SIZE
    own = rng.uniform(0.62, 0.88, (SIZE // high, SIZE // wide))[row, x // wide]
    return np.where((x % wide < joint) | (_Y % high < joint), 0.28, own)


def _bricks(rng: np.random.Generator) -> np.ndarray:
    return _blocks(rng, 32, 16, 3, shift=16) + 0.07 * _noise(rng, 16, 16)


def _stones(rng: np.random.Generator) -> np.ndarray:
    """Two by two, lit from above."""
    rounded = 0.12 * np.sin(2 * np.pi * (_Y % 32) / 32) + 0.06 * np.sin(2 * np.pi * (_X % 32) / 32)
    return _blocks(rng, 32, 32, 3) - 0.08 + rounded + 0.05 * _noise(rng, 8, 8)


def _planks(rng: np.random.Generator) -> np.ndarray:
    """Upright boards; the grain runs along them."""
    own = rng.uniform(0.5, 0.85, 4)[_X // 16]
    return np.where(_X % 16 < 2, 0.2, own + 0.14 * _noise(rng, 32, 2))


def _checks(rng: np.random.Generator) -> np.ndarray:
    return np.where((_X // 16 + _Y // 16) % 2, 0.9, 0.38) + 0.04 * _noise(rng, 8, 8)


def _stripes(rng: np.random.Generator) -> np.ndarray:
    return np.where((_X + _Y) % 32 < 16, 0.88, 0.42) + 0.04 * _noise(rng, 8, 8)


def _discs(rng: np.random.Generator) -> np.ndarray:
    distance = np.hypot(_X % 32 - 15.5, _Y % 32 - 15.5)
    return np.where(distance < 11, 0.92, 0.5) - 0.3 * (abs(distance - 11) < 1.5) + 0.04 * _noise(rng, 8, 8)


def _bands(rng: np.random.Generator) -> np.ndarray:
    """Plaster above, panels below, a rail between them."""
    below = np.where(_X % 32 < 3, 0.25, 0.5)
    return np.where(_Y < 36, 0.85, np.where(_Y < 42, 0.3, below)) + 0.05 * _noise(rng, 8, 8)


def _picture(rng: np.random.Generator) -> np.ndarray:
    """A frame with rings in it, on plaster: a landmark."""
    from_middle = np.maximum(abs(_X - 31.5), abs(_Y - 31.5))
    rings = 0.55 + 0.4 * np.sign(np.sin(np.hypot(_X - 31.5, _Y - 31.5) / 2.6))
    plaster = 0.72 + 0.05 * _noise(rng, 8, 8)
    return np.select([from_middle < 18, from_middle < 22], [rings, np.full_like(rings, 0.18)], plaster)


def _slabs(rng: np.random.Generator) -> np.ndarray:
    return 0.85 * _blocks(rng, 32, 32, 2) + 0.04 * _noise(rng, 16, 16)


def _panels(rng: np.random.Generator) -> np.ndarray:
    """Boards with a lamp in the middle of each block."""
    lamp = (abs(_X - 31.5) < 12) & (abs(_Y - 31.5) < 6)
    joint = (_X < 2) | (_Y < 2)
    return np.where(lamp, 1.0, np.where(joint, 0.3, 0.52 + 0.03 * _noise(rng, 8, 8)))


WALLS: tuple[Callable[[np.random.Generator], np.ndarray], ...] = (
    _bricks, _stones, _planks, _checks, _stripes, _discs, _bands, _picture,
)  # fmt: skip
