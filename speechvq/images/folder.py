"""Any folder of pictures as squares of one size; what cannot be used is named, skipped and counted."""

import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

FORMATS = ("PNG", "JPEG", "BMP", "PPM", "WEBP")
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".pgm", ".webp"}
TEST_NAMES = ("test", "val", "valid", "validation")  # a folder of one of these names beside `train`
TEST_SHARE = 20  # one in so many where there are no such folders

_CONVERTED = {
    "L": "grey",
    "1": "grey",
    "LA": "grey",
    "P": "palette",
    "PA": "palette",
    "RGBA": "alpha",
    "CMYK": "CMYK",
}


@dataclass
class LoadReport:
    """What was done to pictures on the way."""

    converted: Counter[str] = field(default_factory=Counter)  # by what they were
    skipped: Counter[str] = field(default_factory=Counter)  # by the reason
    complaints: list[str] = field(default_factory=list)  # a line for each that was skipped


def find_images(root: Path) -> dict[str, list[Path]]:
    """The pictures of splits "train" and "test": from folders of those names, or by a draw that stays.

    Raises:
        UserError: no folder, or a split without pictures.
    """
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; give one with pictures")
    held = next((root / name for name in TEST_NAMES if (root / name).is_dir()), None)
    if (root / "train").is_dir() and held:
        found = {"train": _below(root / "train"), "test": _below(held)}
    else:
        every = _below(root)
        draws = [zlib.crc32(str(path.relative_to(root)).encode("utf-8", "surrogateescape")) for path in every]
        found = {
            "train": [path for path, draw in zip(every, draws) if draw % TEST_SHARE],
            "test": [path for path, draw in zip(every, draws) if not draw % TEST_SHARE],
        }
    for split, paths in found.items():
        if not paths:
            raise UserError(f"{root}: no pictures for split '{split}' ({', '.join(sorted(SUFFIXES))})")
    return found


def class_names(root: Path, paths: Sequence[Path]) -> list[str]:
    """The names of the folders that pictures lie in, sorted; below a split's folder where there are such."""
    return sorted({_class_of(root, path) for path in paths})


def load_images(
    root: Path, paths: Iterable[Path], classes: Sequence[str], size: int, report: LoadReport
) -> Iterator[tuple[np.ndarray, int]]:
    """Each usable picture as (3, size, size), uint8, and its class's number; the report grows on the way."""
    number = {name: i for i, name in enumerate(classes)}
    for path in paths:
        try:
            yield load_image(path, size, report), number[_class_of(root, path)]
        except UserError as error:
            report.complaints.append(str(error))


def load_image(path: Path, size: int, report: LoadReport) -> np.ndarray:
    """One picture, scaled until its shorter side is `size` and cut to its centre: (3, size, size), uint8.

    Raises:
        UserError: broken, of a kind that is not read, or smaller than `size`; counted in the report.
    """
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as picture:
                reason = _objection(picture, size)
                cut = None if reason else _square(picture, size)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        reason = "more pixels than a picture has"
    except (OSError, ValueError, SyntaxError, EOFError, UnidentifiedImageError, OverflowError) as error:
        reason = "empty" if path.exists() and not path.stat().st_size else f"broken ({type(error).__name__})"
    if reason:
        report.skipped[reason] += 1
        raise UserError(f"{path}: {reason}; skipped")
    assert cut is not None
    if picture.mode != "RGB":
        report.converted[_CONVERTED[picture.mode]] += 1
    return cut


def _objection(picture: "Image", size: int) -> str:
    """Why a picture cannot be used, before its pixels are read; empty when it can."""
    if min(picture.size) < size:
        return f"smaller than {size}x{size}"
    return "" if picture.mode == "RGB" or picture.mode in _CONVERTED else f"mode {picture.mode}"


def _square(picture: "Image", size: int) -> np.ndarray:
    """Scale and cut: (3, size, size), uint8. Transparency is dropped, as most pictures' is full."""
    from PIL.Image import Resampling

    width, height = picture.size
    if min(width, height) > size:
        picture.draft(
            "RGB", (size, size)
        )  # a JPEG may be decoded at a fraction of its size, never below this
    picture = picture.convert("RGBA").convert("RGB") if picture.mode == "P" else picture.convert("RGB")
    shorter = min(width, height)
    if shorter > size:
        scaled = (round(width * size / shorter), round(height * size / shorter))
        picture = picture.resize(scaled, Resampling.LANCZOS)
    left, top = (picture.width - size) // 2, (picture.height - size) // 2
    cut = picture.crop((left, top, left + size, top + size))
    return np.asarray(cut).transpose(2, 0, 1)


def _below(folder: Path) -> list[Path]:
    """Pictures by their names' endings, sorted; no hidden ones."""
    found = (
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".")
    )
    return sorted(path for path in found if path.is_file())


def _class_of(root: Path, path: Path) -> str:
    parts = path.relative_to(root).parts[:-1]
    split = parts and parts[0] in ("train", *TEST_NAMES)
    inner = parts[1:] if split else parts
    return inner[0] if inner else ""
