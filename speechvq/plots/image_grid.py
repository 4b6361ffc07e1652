"""Pictures of pictures: many small ones in rows, as one PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.io.atomic import atomic_file

GAP = 2  # pixels between two pictures
BACKGROUND = 255
LEAST = 64  # pixels that a small picture is blown up to


def save_image_grid(path: Path, rows: Sequence[np.ndarray]) -> None:
    """Write rows of pictures as a PNG; small ones are enlarged by a whole factor, so pixels stay squares.

    Args:
        path: of the PNG; replaced when it exists.
        rows: (n, 3, H, W) each, uint8, all of one size.

    Raises:
        UserError: the disk is full or not writable.
    """
    from PIL import Image

    with atomic_file(path) as temporary:
        Image.fromarray(tile(rows)).save(temporary, format="PNG", optimize=True)


def tile(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Rows of pictures (n, 3, H, W) side by side and below one another: (height, width, 3), uint8."""
    size = rows[0].shape[-1]
    factor = max(1, -(-LEAST // size))
    step = size * factor + GAP
    shape = (GAP + step * len(rows), GAP + step * max(map(len, rows)), 3)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    for i, row in enumerate(rows):
        for j, picture in enumerate(row):
            large = picture.transpose(1, 2, 0).repeat(factor, 0).repeat(factor, 1)
            top, left = GAP + i * step, GAP + j * step
            canvas[top : top + step - GAP, left : left + step - GAP] = large
    return canvas


def split_rows(images: np.ndarray, columns: int) -> list[np.ndarray]:
    """Pictures (n, 3, H, W) cut into rows of `columns`."""
    return [images[i : i + columns] for i in range(0, len(images), columns)]
