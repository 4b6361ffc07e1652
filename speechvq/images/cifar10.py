"""Reader of CIFAR-10 (Krizhevsky 2009) in the published binary version, which needs no pickle.

A record is a label byte and 3,072 bytes of pixels: red, green and blue planes of 32x32. Five files of 10,000
records form the training split, one file the test split. Files may be gzipped, and may hold fewer records.
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
RECORDS = 10_000  # in a complete file

_RECORD = 1 + 3 * SIZE * SIZE  # bytes


def download(root: Path) -> None:
    """Download and unpack the binary version into `root`, unless it is there.

    Raises:
        UserError: the network fails, the checksum is wrong, or the disk is full.
    """
    if not (root / FOLDER / FILES["test"][0]).exists():
        extract(fetch(ARCHIVE, root), root)


def find_files(root: Path, split: str) -> list[Path]:
    """The existing files of a split, in order; a file without .gz is preferred.

    Args:
        root: the folder `cifar-10-batches-bin`, or its parent.
        split: "train" or "test".

    Raises:
        UserError: there are none.
    """
    folder = root / FOLDER if (root / FOLDER).is_dir() else root
    candidates = [[folder / name, folder / f"{name}.gz"] for name in FILES[split]]
    found = [next((path for path in paths if path.exists()), None) for paths in candidates]
    if not any(found):
        raise UserError(
            f"{folder}: no {FILES[split][0]} or {FILES[split][0]}.gz; give the folder {FOLDER} of the binary "
            "version, or --download"
        )
    return [path for path in found if path is not None]


def has_binary_version(root: Path) -> bool:
    """Whether a folder, or `cifar-10-batches-bin` in it, has a file of the binary version."""
    names = [name for split in FILES.values() for each in split for name in (each, f"{each}.gz")]
    return any((folder / name).exists() for folder in (root, root / FOLDER) for name in names)


def read_file(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Read a file: images (N, 3, 32, 32), uint8, and labels (N,), uint8 in [0, 9].

    Raises:
        UserError: the file is unreadable, damaged, truncated or too long, or has an invalid label.
    """
    limit = RECORDS * _RECORD
    try:
        with gzip.open(path) if path.suffix == ".gz" else open(path, "rb") as file:
            raw = file.read(limit + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(f"{path}: cannot be read ({error}); download it again") from None
    if not raw or len(raw) % _RECORD:
        size = f"more than {RECORDS} records" if len(raw) > limit else f"{len(raw)} bytes"
        raise UserError(
            f"{path}: {size}, not whole records of {_RECORD}; truncated, or not CIFAR-10's binary version"
        )
    records = np.frombuffer(raw, np.uint8).reshape(-1, _RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise UserError(f"{path}: label {records[:, 0].max()} is not 0 to 9; not CIFAR-10's binary version")
    return records[:, 1:].reshape(-1, 3, SIZE, SIZE), records[:, 0]
