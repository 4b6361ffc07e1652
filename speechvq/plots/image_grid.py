"""Grids of small images as one PNG."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from speechvq.io.atomic import atomic_file

GAP = 2  # pixels between two images
BACKGROUND = 255
MIN_SIZE = 64  # pixels; smaller images are enlarged to at least this size


def save_image_grid(path: Path, rows: Sequence[np.ndarray]) -> None:
    """Save rows of images as a PNG; small images are enlarged by a whole factor, so pixels stay square.

    Args:
        path: of the PNG; replaced if it exists.
        rows: (n, 3, H, W) each, uint8, all of one size.

    Raises:
        UserError: the disk is full or not writable.
    """
    from PIL import Image

    with atomic_file(path) as temporary:
        Image.fromarray(tile(rows)).save(temporary, format="PNG", optimize=True)


def tile(rows: Sequence[np.ndarray]) -> np.ndarray:
    """Join rows of images (n, 3, H, W) to one image: (height, width, 3), uint8."""
    size = rows[0].shape[-1]
    factor = max(1, -(-MIN_SIZE // size))
    step = size * factor + GAP
    shape = (GAP + step * len(rows), GAP + step * max(map(len, rows)), 3)
    canvas = np.full(shape, BACKGROUND, np.uint8)
    for i, row in enumerate(rows):
        for j, image in enumerate(row):
            large = image.transpose(1, 2, 0).repeat(factor, 0).repeat(factor, 1)
            top, left = GAP + i * step, GAP + j * step
            canvas[top : top + step - GAP, left : left + step - GAP] = large
    return canvas


def split_rows(images: np.ndarray, columns: int) -> list[np.ndarray]:
    """Split images (n, 3, H, W) into rows of `columns` images; the last row may be shorter."""
    return [images[i : i + columns] for i in range(0, len(images), columns)]
