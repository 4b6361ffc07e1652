"""Reading a folder of image files as squares of one size; unusable files are skipped and reported."""

import struct
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

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP", "GIF", "TIFF")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp", ".gif", ".tif", ".tiff"}
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
    "YCbCr": "YCbCr",
}
_SIXTEEN_BITS = ("I;16", "I;16L", "I;16B", "I;16N", "I")  # one channel; "I" for a PGM and in older Pillow
# What Pillow raises for damaged files, by format.
_DAMAGE = (OSError, ValueError, SyntaxError, EOFError, ArithmeticError, LookupError, TypeError, struct.error)


@dataclass
class LoadReport:
    """Counts of converted and skipped files."""

    converted: Counter[str] = field(default_factory=Counter)  # by what was changed; a file may count twice
    skipped: Counter[str] = field(default_factory=Counter)  # by reason
    messages: list[str] = field(default_factory=list)  # one line for each skipped file


def find_images(root: Path) -> dict[str, list[Path]]:
    """The image files of the splits "train" and "test".

    Splits are the folders of these names if both exist. Otherwise a hash of each file's path selects the test
    split, so it does not change when files are added. The order is that of the hashes, which mixes the
    classes: `train.num_eval_items` and `--images` take the first images.

    Raises:
        UserError: the folder does not exist, or a split has no images.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give a folder of images")
    test = next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)
    if (root / "train").is_dir() and test:
        found = {"train": _files_in(root / "train"), "test": _files_in(test)}
    else:
        paths, found = _files_in(root), {"train": [], "test": []}
        for path in paths:
            found["train" if _hash(root, path) % TEST_EVERY else "test"].append(path)
    for split, paths in found.items():
        if not paths:
            raise UserError(f"{root}: no images for split '{split}' ({', '.join(sorted(SUFFIXES))})")
    return {split: sorted(paths, key=lambda path: _hash(root, path)) for split, paths in found.items()}


def has_images(root: Path) -> bool:
    """Whether there is an image file below a folder, by suffix."""
    return root.is_dir() and bool(_files_in(root))


def split_rule(root: Path) -> str:
    """How `find_images` splits a folder, in words."""
    test = next((name for name in TEST_NAMES if (root / name).is_dir()), None)
    if (root / "train").is_dir() and test:
        return f"the folders train and {test}"
    return f"one image in {TEST_EVERY} is in test, by a hash of its path (no folders train and test)"


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

    The orientation that a camera noted in EXIF is applied. Of 16 bits the upper 8 are kept, of an animation
    the first frame, of transparency nothing.

    Raises:
        UserError: the file is damaged, of an unsupported mode, or smaller than `size`; counted in the report.
    """
    from PIL import Image, UnidentifiedImageError

    changes: list[str] = []
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata, which change no pixel
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                reason = _why_unusable(image, size)
                if not reason:
                    changes = _changes(image)
                    pixels = _center_square(image, size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = "too many pixels"
    except (UnidentifiedImageError, *_DAMAGE) as error:
        is_empty = path.exists() and not path.stat().st_size
        reason = "empty" if is_empty else f"damaged ({type(error).__name__})"
    if reason:
        report.skipped[reason] += 1
        raise UserError(f"{path}: {reason}; skipped")
    report.converted.update(changes)
    return pixels


def _why_unusable(image: "Image", size: int) -> str:
    """Why an image cannot be used, checked before its pixels are decoded; "" if it can."""
    if min(image.size) < size:
        return f"smaller than {size}x{size}"
    known = image.mode in ("RGB", *_CONVERTED, *_SIXTEEN_BITS)
    is_32_bits = image.mode == "I" and image.format == "TIFF"
    return "" if known and not is_32_bits else f"mode {image.mode}"


def _changes(image: "Image") -> list[str]:
    """What loading changes, before the pixels are decoded."""
    changes = [_CONVERTED[image.mode]] if image.mode in _CONVERTED else []
    raw_modes = [argument for tile in getattr(image, "tile", ()) for argument in _texts(tile[3])]
    if image.mode in _SIXTEEN_BITS or any(";16" in raw for raw in raw_modes):
        changes.append("16 bits")
    if getattr(image, "is_animated", False):
        changes.append("animation, first frame")
    if _orientation(image) != 1:
        changes.append("EXIF orientation")
    return changes


def _texts(argument: object) -> list[str]:
    """The strings in the last field of a tile of Pillow, which differs between formats."""
    parts = argument if isinstance(argument, tuple) else (argument,)
    return [part for part in parts if isinstance(part, str)]


def _orientation(image: "Image") -> int:
    """The EXIF orientation, 1 to 8; 1 for upright images, and where it is missing, damaged or unknown."""
    from PIL.ExifTags import Base

    try:
        value = image.getexif().get(Base.Orientation, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _upright(image: "Image", orientation: int) -> "Image":
    """Turn or mirror an image by its EXIF orientation."""
    from PIL.Image import Transpose

    by_orientation = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    return image.transpose(by_orientation[orientation]) if orientation != 1 else image


def _center_square(image: "Image", size: int) -> np.ndarray:
    """Scale, crop and turn upright: (3, size, size), uint8. Transparency is dropped."""
    from PIL.Image import Resampling

    orientation, (width, height) = _orientation(image), image.size
    shorter = min(width, height)
    if shorter > size:
        image.draft("RGB", (size, size))  # decodes a JPEG at a fraction of its size, at least this one
    image = _to_rgb(image)
    if shorter > size:
        scaled = (round(width * size / shorter), round(height * size / shorter))
        image = image.resize(scaled, Resampling.LANCZOS)
    left, top = (image.width - size) // 2, (image.height - size) // 2
    square = _upright(image.crop((left, top, left + size, top + size)), orientation)
    return np.asarray(square).transpose(2, 0, 1)


def _to_rgb(image: "Image") -> "Image":
    """Convert any supported mode to RGB with 8 bits."""
    from PIL import Image

    if image.mode in _SIXTEEN_BITS:
        deep = np.asarray(image).astype(np.int64).clip(0, 65_535)
        return Image.fromarray((deep >> 8).astype(np.uint8)).convert("RGB")
    return image.convert("RGBA").convert("RGB") if image.mode == "P" else image.convert("RGB")


def _hash(root: Path, path: Path) -> int:
    """A number in [0, 2**32) that depends on a file's path below the root alone."""
    return zlib.crc32(normalized(str(path.relative_to(root))).encode("utf-8", "surrogateescape"))


def _files_in(folder: Path) -> list[Path]:
    """All image files below a folder, by suffix, sorted; hidden ones are left out, links are followed."""
    return [path for path in files_below(folder, SUFFIXES) if path.is_file()]


def _class_of(root: Path, path: Path) -> str:
    parts = path.relative_to(root).parts[:-1]
    in_split = parts and parts[0] in ("train", *TEST_NAMES)
    inner = parts[1:] if in_split else parts
    return normalized(inner[0]) if inner else ""
