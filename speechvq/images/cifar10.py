"""CIFAR-10 as it was published (Krizhevsky 2009), in the binary version: no pickle.

A record is a label byte and 3,072 bytes of pixels, red, green and blue planes of 32x32. Five files of 10,000
records are for training and one for the test. Files may be gzipped, and may be cut to fewer whole records (a
slice).
"""

import gzip
import zlib
from pathlib import Path

import numpy as np

from speechvq.errors import UserError
from speechvq.io.archive import extract
from speechvq.io.download import RemoteFile, fetch

ARCHIVE = RemoteFile(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)
FOLDER = "cifar-10-batches-bin"
SIZE = 32
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
FILES = {"train": [f"data_batch_{i}.bin" for i in range(1, 6)], "test": ["test_batch.bin"]}
RECORDS = 10_000  # in a whole file

_RECORD = 1 + 3 * SIZE * SIZE  # bytes


def download(root: Path) -> None:
    """Download and unpack the binary version into `root`; what is there already is only checked.

    Raises:
        UserError: no network, a wrong checksum, or a full disk.
    """
    if not (root / FOLDER / FILES["test"][0]).exists():
        extract(fetch(ARCHIVE, root), root)


def find_files(root: Path, split: str) -> list[Path]:
    """The split's files that are there, in order; a name without .gz is preferred.

    Args:
        root: the folder `cifar-10-batches-bin`, or what holds it.
        split: "train" or "test".

    Raises:
        UserError: there is none.
    """
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    either = [[folder / name, folder / f"{name}.gz"] for name in FILES[split]]
    found = [next((path for path in paths if path.exists()), None) for paths in either]
    if not any(found):
        raise UserError(
            f"{folder}: no {FILES[split][0]} or {FILES[split][0]}.gz; give the folder {FOLDER} of the binary "
            "version, or --download"
        )
    return [path for path in found if path is not None]


def read_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, 3, 32, 32), uint8, and labels (N,), uint8, from 0 to 9.

    Raises:
        UserError: unreadable, damaged gzip, not a whole number of records, more than a whole file, or a label
            that is none.
    """
    limit = RECORDS * _RECORD
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            raw = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); take an undamaged copy") from None
    if not raw or len(raw) % _RECORD:
        size = "more than a whole file" if len(raw) > limit else f"{len(raw)} bytes"
        raise UserError(
            f"{path}: {size}, not whole records of {_RECORD}; truncated, or not CIFAR-10's binary version"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise UserError(
            f"{path}: label {records[:, 0].max()} is none of 0 to 9; not CIFAR-10's binary version"
        )
    return records[:, 1:].reshape(-1, 3, SIZE, SIZE), records[:, 0]
