"""Reading a folder of image files as squares of one size; unusable files are skipped and reported."""

import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.errors import UserError
from speechvq.io.folders import files_below
from speechvq.io.names import normalized

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp"}
TEST_NAMES = ("test", "val", "valid", "validation")  # folders beside `train` that hold the test split
TEST_EVERY = 20  # without such folders, one of this many files is in the test split

_CONVERTED = {
    "L": "grayscale",
    "1": "grayscale",
    "LA": "grayscale",
    "P": "palette",
    "PA": "palette",
    "RGBA": "alpha",
    "CMYK": "CMYK",
}


@dataclass
class LoadReport:
    """Counts of converted and skipped files."""

    converted: Counter[str] = field(default_factory=Counter)  # by original color mode
    skipped: Counter[str] = field(default_factory=Counter)  # by reason
    messages: list[str] = field(default_factory=list)  # one line for each skipped file


def find_images(root: Path) -> dict[str, list[Path]]:
    """The image files of the splits "train" and "test".

    Splits are the folders of these names if both exist. Otherwise a hash of each file's path selects the test
    split, so it does not change when files are added.

    Raises:
        UserError: the folder does not exist, or a split has no images.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give a folder of images")
    test = next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)
    if (root / "train").is_dir() and test:
        found = {"train": _files_in(root / "train"), "test": _files_in(test)}
    else:
        paths = _files_in(root)
        names = [normalized(str(path.relative_to(root))) for path in paths]
        hashes = [zlib.crc32(name.encode("utf-8", "surrogateescape")) for name in names]
        found = {
            "train": [path for path, value in zip(paths, hashes) if value % TEST_EVERY],
            "test": [path for path, value in zip(paths, hashes) if not value % TEST_EVERY],
        }
    for split, paths in found.items():
        if not paths:
            raise UserError(f"{root}: no images for split '{split}' ({', '.join(sorted(SUFFIXES))})")
    return found


def class_names(root: Path, paths: Sequence[Path]) -> list[str]:
    """Names of the classes, sorted: the folders directly below the root, or below a split's folder."""
    return sorted({_class_of(root, path) for path in paths})


def load_images(
    root: Path, paths: Iterable[Path], classes: Sequence[str], size: int, report: LoadReport
) -> Iterator[tuple[np.ndarray, int]]:
    """Load all usable images.

    Args:
        root: the folder that the classes are relative to.
        paths: image files.
        classes: names of all classes.
        size: H = W, pixels.
        report: updated for every file.

    Yields:
        (3, size, size), uint8, and the index of the class.
    """
    index = {name: i for i, name in enumerate(classes)}
    for path in paths:
        try:
            yield load_image(path, size, report), index[_class_of(root, path)]
        except UserError as error:
            report.messages.append(str(error))


def load_image(path: Path, size: int, report: LoadReport) -> np.ndarray:
    """Load an image, scale its shorter side to `size` and crop the center: (3, size, size), uint8.

    Raises:
        UserError: the file is damaged, of an unsupported mode, or smaller than `size`; counted in the report.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                reason = _why_unusable(image, size)
                pixels = None if reason else _center_square(image, size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = "too many pixels"
    except (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, OverflowError) as error:
        is_empty = path.exists() and not path.stat().st_size
        reason = "empty" if is_empty else f"damaged ({type(error).__name__})"
    if reason:
        report.skipped[reason] += 1
        raise UserError(f"{path}: {reason}; skipped")
    assert pixels is not None
    if image.mode != "RGB":
        report.converted[_CONVERTED[image.mode]] += 1
    return pixels


def _why_unusable(image: "Image", size: int) -> str:
    """Why an image cannot be used, checked before its pixels are decoded; "" if it can."""
    if min(image.size) < size:
        return f"smaller than {size}x{size}"
    return "" if image.mode == "RGB" or image.mode in _CONVERTED else f"mode {image.mode}"


def _center_square(image: "Image", size: int) -> np.ndarray:
    """Scale and crop: (3, size, size), uint8. Transparency is dropped."""
    from PIL.Image import Resampling

    width, height = image.size
    shorter = min(width, height)
    if shorter > size:
        image.draft("RGB", (size, size))  # decodes a JPEG at a fraction of its size, at least this one
    image = image.convert("RGBA").convert("RGB") if image.mode == "P" else image.convert("RGB")
    if shorter > size:
        scaled = (round(width * size / shorter), round(height * size / shorter))
        image = image.resize(scaled, Resampling.LANCZOS)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    return np.asarray(image.crop((left, top, left + size, top + size))).transpose(2, 0, 1)


def _files_in(folder: Path) -> list[Path]:
    """All image files below a folder, by suffix, sorted; hidden ones are left out, links are followed."""
    return [path for path in files_below(folder, SUFFIXES) if path.is_file()]


def _class_of(root: Path, path: Path) -> str:
    parts = path.relative_to(root).parts[:-1]
    in_split = parts and parts[0] in ("train", *TEST_NAMES)
    inner = parts[1:] if in_split else parts
    return normalized(inner[0]) if inner else ""
