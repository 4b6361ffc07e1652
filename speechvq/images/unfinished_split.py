"""The arrays of a split while they are made: a stopped call leaves them, and the next one continues them.

FOLDER/SPLIT.npy       (N, 3, size, size), uint8; the header gets N when the split is complete
FOLDER/SPLIT.labels    int64, one per image of the source, -1 for an unusable one; written after the pixels
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

import numpy as np

from speechvq.io.atomic import writing

# The images of a split from the given number on: (3, size, size) uint8 and the class, None if unusable.
ImageReader = Callable[[str, int], Iterator[tuple[np.ndarray, int] | None]]
_UNUSABLE = -1
_LABEL = np.dtype("<i8")


def write_split(folder: Path, split: str, size: int, read: ImageReader) -> np.ndarray:
    """Write the pixels of a split, image by image, after those that an earlier call left.

    Args:
        folder: belongs to this source and its state; created if missing.
        split: its name.
        size: H = W, pixels.
        read: returns the images from a number on.

    Returns:
        (N,), int64, the classes of the usable images.

    Raises:
        UserError: the disk is full or not writable.
    """
    pixels_path, labels_path = folder / f"{split}.npy", folder / f"{split}.labels"
    image_bytes, start = 3 * size * size, len(_header(0, size))
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for path in (pixels_path, labels_path):
            path.touch()
        labels = _kept_labels(pixels_path, labels_path, image_bytes, start)
        with open(pixels_path, "r+b") as pixels_file, open(labels_path, "r+b") as labels_file:
            _continue_at(pixels_file, start + image_bytes * int(np.sum(labels != _UNUSABLE)))
            _continue_at(labels_file, labels.nbytes)
            for image in read(split, len(labels)):
                label = _UNUSABLE
                if image is not None:
                    pixels, label = image
                    pixels_file.write(np.ascontiguousarray(pixels, np.uint8).tobytes())
                    pixels_file.flush()
                labels_file.write(np.array(label, _LABEL).tobytes())
                labels_file.flush()
        labels = np.fromfile(labels_path, _LABEL)
        classes = labels[labels != _UNUSABLE].astype(np.int64)
        with open(pixels_path, "r+b") as pixels_file:
            pixels_file.write(_header(len(classes), size))
    return classes


def _kept_labels(pixels: Path, labels: Path, image_bytes: int, start: int) -> np.ndarray:
    """The labels of an earlier call, as far as their pixels are there too: (M,), int64."""
    content = labels.read_bytes()
    kept = np.frombuffer(content[: len(content) // _LABEL.itemsize * _LABEL.itemsize], _LABEL)
    whole = max(pixels.stat().st_size - start, 0) // image_bytes
    return kept[np.cumsum(kept != _UNUSABLE) <= whole]


def _continue_at(file: BinaryIO, position: int) -> None:
    file.truncate(position)
    file.seek(position)


def _header(count: int, size: int) -> bytes:
    """The header of an .npy file. Its length does not depend on the count: NumPy pads it."""
    buffer = io.BytesIO()
    shape = {"descr": "|u1", "fortran_order": False, "shape": (count, 3, size, size)}
    np.lib.format.write_array_header_1_0(buffer, shape)
    return buffer.getvalue()
