"""Pictures of any origin become a folder that training reads: arrays, and a description, written last."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from speechvq.errors import UserError
from speechvq.images import cifar10, folder
from speechvq.io.atomic import atomic_file, write_bytes
from speechvq.runtime.progress import progress

META = "meta.json"
Pictures = Iterable[tuple[np.ndarray, int]]  # (3, size, size) uint8, and a class's number


class Prepared(NamedTuple):
    """What a prepared folder says of itself."""

    size: int  # H = W, pixels
    classes: list[str]
    splits: dict[str, int]  # pictures, by name
    source: str  # what it was made from


def prepare_cifar10(root: Path, out: Path) -> Prepared:
    """Prepare CIFAR-10's binary files.

    Raises:
        UserError: files missing, truncated or damaged; `out` holds something else or cannot be written.
    """

    def read(split: str) -> Pictures:
        for path in cifar10.find_files(root, split):
            pixels, labels = cifar10.read_file(path)
            yield from zip(pixels, labels.tolist())

    source = f"cifar10 {root.resolve()}"
    return prepare(out, source, cifar10.SIZE, cifar10.CLASSES, {"train": read, "test": read})


def prepare_folder(root: Path, out: Path, size: int, report: folder.LoadReport) -> Prepared:
    """Prepare a folder of pictures; the report tells what was converted and skipped.

    Raises:
        UserError: no pictures; `out` holds something else or cannot be written.
    """
    found = folder.find_images(root)
    classes = folder.class_names(root, [path for paths in found.values() for path in paths])

    def read(split: str) -> Pictures:
        paths = progress(found[split], total=len(found[split]), label=f"read {split}", unit="pictures")
        return folder.load_images(root, paths, classes, size, report)

    source = f"pictures {root.resolve()} {size}"
    return prepare(out, source, size, classes, dict.fromkeys(found, read))


def prepare(
    out: Path, source: str, size: int, classes: Sequence[str], splits: Mapping[str, Callable[[str], Pictures]]
) -> Prepared:
    """Write every split and then the description; a folder from the same source is left as it is.

    Args:
        out: made when missing.
        source: words that tell what it is made from.
        size: H = W, pixels.
        classes: their names.
        splits: what gives a split's pictures, by its name.

    Raises:
        UserError: `out` holds something else or cannot be written; a split without a usable picture.
    """
    if (out / META).exists():
        before = read_meta(out)
        if before.source != source:
            raise UserError(f"{out}: made from '{before.source}'; choose another --out")
        return before
    counts = {split: write_split(out, split, size, read(split)) for split, read in splits.items()}
    for split, count in counts.items():
        if not count:
            raise UserError(f"{out}: no usable picture for split '{split}'; see what was skipped")
    prepared = Prepared(size, list(classes), counts, source)
    write_bytes(out / META, json.dumps(prepared._asdict(), indent=1).encode())
    return prepared


def write_split(out: Path, split: str, size: int, pictures: Pictures) -> int:
    """Write `SPLIT.npy`, (N, 3, size, size) uint8, and `SPLIT_labels.npy`, (N,) int64, picture by picture.

    Returns:
        N.

    Raises:
        UserError: the disk is full or not writable.
    """
    labels = []
    with atomic_file(out / f"{split}.npy") as temporary, open(temporary, "wb") as file:
        _write_header(file, 0, size)
        for pixels, label in pictures:
            file.write(np.ascontiguousarray(pixels, np.uint8).tobytes())
            labels.append(label)
        file.seek(0)
        _write_header(file, len(labels), size)
    with atomic_file(out / f"{split}_labels.npy") as temporary:
        np.save(temporary, np.array(labels, np.int64), allow_pickle=False)
    return len(labels)


def read_meta(out: Path) -> Prepared:
    """The description of a prepared folder.

    Raises:
        UserError: no prepared folder, or a damaged description.
    """
    try:
        fields = json.loads((out / META).read_text(encoding="utf-8"))
        prepared = Prepared(**fields)
        sizes = [prepared.size, *prepared.splits.values()]
        if not all(isinstance(size, int) and size > 0 for size in sizes) or not isinstance(
            prepared.classes, list
        ):
            raise ValueError("sizes that are none")
    except OSError:
        raise UserError(
            f"{out}: no prepared pictures here ({META} is missing); `python -m speechvq.prepare cifar10` or "
            "`images` makes such a folder"
        ) from None
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(f"{out / META}: damaged ({error}); prepare again") from None
    return prepared


def _write_header(file: BinaryIO, count: int, size: int) -> None:
    """The head of an .npy file; as long for any count, because NumPy leaves room for it to grow."""
    shape = {"descr": "|u1", "fortran_order": False, "shape": (count, 3, size, size)}
    np.lib.format.write_array_header_1_0(file, shape)
