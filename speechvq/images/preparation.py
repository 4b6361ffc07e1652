"""Writing images of any origin into a prepared folder: NumPy arrays for each split, and a description.

OUT/SPLIT.npy          (N, 3, size, size), uint8
OUT/SPLIT_labels.npy   (N,), int64
OUT/meta.json          size, classes, images per split, source; written last
OUT/.unfinished-*      the arrays of a stopped call, see `unfinished_split`

`prepare.images` is the command around it; `data.preparation` prepares speech.
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.errors import UserError
from speechvq.images import cifar10, folder
from speechvq.images.unfinished_split import ImageReader, write_split
from speechvq.io.atomic import atomic_file, remove_file, write_json, writing
from speechvq.io.journal import Journal, listing_digest, read_state, settings_digest
from speechvq.io.reading import read_regular
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import progress

META = "meta.json"
UNFINISHED = ".unfinished-"  # and a digest of the source: folder of a stopped call


class ImageSetMeta(NamedTuple):
    """The description of a prepared folder."""

    size: int  # H = W, pixels
    classes: list[str]
    splits: dict[str, int]  # images per split
    source: str  # what the images were made from


def prepare_cifar10(root: Path, out: Path) -> ImageSetMeta:
    """Prepare the binary files of CIFAR-10.

    Args:
        root: folder of the files.
        out: see `prepare`.

    Raises:
        UserError: files are missing, truncated or damaged; or see `prepare`.
    """

    def read_all(split: str) -> Iterator[tuple[np.ndarray, int]]:
        for path in cifar10.find_files(root, split):
            pixels, labels = cifar10.read_file(path)
            yield from zip(pixels, labels.tolist())

    def read(split: str, start: int) -> Iterator[tuple[np.ndarray, int]]:
        return islice(read_all(split), start, None)

    source = f"cifar10 {root.resolve()}"
    files = [path for split in cifar10.FILES for path in cifar10.find_files(root, split)]
    content = listing_digest(files, root)
    return prepare(out, source, cifar10.SIZE, cifar10.CLASSES, {"train": read, "test": read}, content)


def prepare_cifar10_pictures(root: Path, out: Path, report: folder.LoadReport) -> ImageSetMeta:
    """Prepare CIFAR-10 from picture files: a folder for each class, in train and test or without splits.

    Args:
        root: the folder.
        out: see `prepare`.
        report: receives what was converted and skipped.

    Raises:
        UserError: a folder is not one of the ten classes; or see `prepare_folder`.
    """
    found = folder.find_images(root)
    names = folder.class_names(root, [path for paths in found.values() for path in paths])
    if unknown := [name for name in names if name not in cifar10.CLASSES]:
        raise UserError(
            f"{root}: {unknown[0] or 'pictures outside of folders'}: not a class of CIFAR-10; expected "
            f"folders {', '.join(cifar10.CLASSES)}, in train and test; `prepare images` is for other pictures"
        )
    return prepare_folder(root, out, cifar10.SIZE, report)


def prepare_folder(root: Path, out: Path, size: int, report: folder.LoadReport) -> ImageSetMeta:
    """Prepare a folder of image files.

    Args:
        root: the folder.
        out: see `prepare`.
        size: H = W of the prepared images, pixels.
        report: receives what was converted and skipped.

    Raises:
        UserError: there are no images; or see `prepare`.
    """
    found = folder.find_images(root)
    classes = folder.class_names(root, [path for paths in found.values() for path in paths])

    def read(split: str, start: int) -> Iterator[tuple[np.ndarray, int] | None]:
        paths = found[split][start:]
        if start:
            logger.info("%s: %d images of a stopped call are kept", split, start)
        for path in progress(paths, total=len(paths), label=f"read {split}", unit="images"):
            yield next(folder.load_images(root, [path], classes, size, report), None)

    source = f"images {root.resolve()} {size}"
    content = listing_digest([path for paths in found.values() for path in paths if path.exists()], root)
    return prepare(out, source, size, classes, dict.fromkeys(found, read), content)


def prepare(
    out: Path,
    source: str,
    size: int,
    classes: Sequence[str],
    splits: Mapping[str, ImageReader],
    content: str,
) -> ImageSetMeta:
    """Write all splits and the description; a complete folder of the same files is left unchanged.

    A stopped call leaves its arrays in a hidden folder, and the next call with the same files continues them.

    Args:
        out: created if missing.
        source: a text that identifies the source.
        size: H = W, pixels.
        classes: names of the classes.
        splits: for each split, a function that returns its images from a number on.
        content: a digest of all files of the source; after a change the images are prepared again.

    Raises:
        UserError: `out` was made from another source or cannot be written, or a split has no usable image.
    """
    journal, nothing = Journal(out, {"source": source, "content": content}), read_state([])
    if (out / META).exists():
        existing = read_meta(out)
        if existing.source != source:
            raise UserError(f"{out}: made from '{existing.source}'; choose another --out")
        if journal.read().find(META, []):
            return existing
        logger.info("%s: the images have changed since they were prepared; preparing them again", out)
    unfinished = out / f"{UNFINISHED}{settings_digest({'source': source, 'content': content})}"
    _remove_folders(each for each in out.glob(f"{UNFINISHED}*") if each != unfinished)
    labels = {split: write_split(unfinished, split, size, read) for split, read in splits.items()}
    for split, classes_of in labels.items():
        if not len(classes_of):
            _remove_folders([unfinished])
            raise UserError(f"{out}: no usable image for split '{split}'; see what was skipped")
    remove_file(out / META)  # which would describe other arrays, if this call were stopped
    _finish(out, unfinished, labels)
    meta = ImageSetMeta(size, list(classes), {split: len(each) for split, each in labels.items()}, source)
    write_json(out / META, meta._asdict())
    arrays = [out / f"{split}{end}.npy" for split in splits for end in ("", "_labels")]
    journal.add(META, nothing, [out / META, *arrays])
    return meta


def _finish(out: Path, unfinished: Path, labels: Mapping[str, np.ndarray]) -> None:
    """Give the arrays their final names.

    Raises:
        UserError: the disk is full or not writable.
    """
    for split, each in labels.items():
        with atomic_file(out / f"{split}_labels.npy") as temporary:
            np.save(temporary, each, allow_pickle=False)
        with writing(out):
            os.replace(unfinished / f"{split}.npy", out / f"{split}.npy")
    _remove_folders([unfinished])


def _remove_folders(folders: Iterable[Path]) -> None:
    for each in folders:
        shutil.rmtree(each, ignore_errors=True)


def read_meta(out: Path) -> ImageSetMeta:
    """Read the description of a prepared folder.

    Raises:
        UserError: it is not a prepared folder, or the description is damaged.
    """
    try:
        fields = json.loads(read_regular(out / META))
        meta = ImageSetMeta(**fields)
        sizes = [meta.size, *meta.splits.values()]
        if not all(isinstance(size, int) and size > 0 for size in sizes) or not isinstance(
            meta.classes, list
        ):
            raise ValueError("sizes or classes are invalid")
    except OSError:
        raise UserError(
            f"{out}: no prepared images here ({META} is missing); `python -m speechvq.prepare cifar10` or "
            "`images` writes such a folder"
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{out / META}: damaged ({error}); prepare again") from None
    return meta
