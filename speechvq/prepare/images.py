"""Image data for `python -m speechvq.prepare`: CIFAR-10, image folders, frames of a recorded world.

The command: it chooses the source and prints a summary. `images.preparation` writes the prepared folder.
"""

import argparse
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from speechvq.errors import UserError
from speechvq.images import cifar10
from speechvq.images.folder import LoadReport, has_images, split_rule
from speechvq.images.preparation import (
    ImageSetMeta,
    prepare,
    prepare_cifar10,
    prepare_cifar10_pictures,
    prepare_folder,
)
from speechvq.io.journal import listing_digest
from speechvq.runtime.logging import logger

IMAGES = ("cifar10", "images", "frames")
MAX_MESSAGES = 10  # that are logged
FRAME_STEP = 5  # every fifth frame of a recording is used; consecutive frames are nearly the same


def prepare_images(arguments: argparse.Namespace) -> None:
    """Prepare the images in `--root` and print a summary.

    Raises:
        UserError: no usable image, or `--out` contains other data.
    """
    report = LoadReport()
    if arguments.root is None:
        raise UserError(f"--root is missing; give the folder of {arguments.corpus}")
    if arguments.corpus == "cifar10":
        prepared = _cifar10(arguments, report)
    elif arguments.download is not None:
        raise UserError(f"--download is not for {arguments.corpus}; put the images into --root")
    elif arguments.corpus == "frames":
        prepared = prepare_frames(arguments.root, arguments.out)
    else:
        prepared = prepare_folder(arguments.root, arguments.out, arguments.size, report)
        print(f"split: {split_rule(arguments.root)}")
    counts = ", ".join(f"{split} {count}" for split, count in prepared.splits.items())
    size = f"{prepared.size}x{prepared.size}"
    print(f"{arguments.out}: images of {size} pixels: {counts}; {len(prepared.classes)} classes")
    _print_report(report)


def _cifar10(arguments: argparse.Namespace, report: LoadReport) -> ImageSetMeta:
    """The binary version, or picture files in folders of the ten classes."""
    root = arguments.root
    if arguments.download is not None:
        cifar10.download(root)
    if cifar10.has_binary_version(root) or not has_images(root):
        prepared = prepare_cifar10(root, arguments.out)
    else:
        prepared = prepare_cifar10_pictures(root, arguments.out, report)
        print(f"split: {split_rule(root)}")
    if prepared.splits != {"train": 5 * cifar10.RECORDS, "test": cifar10.RECORDS}:
        logger.warning("a part of CIFAR-10, not all of its 50,000 and 10,000 images")
    return prepared


def prepare_frames(root: Path, out: Path) -> ImageSetMeta:
    """Every fifth frame of a recording's training and test episodes.

    Raises:
        UserError: no recording there, an episode is missing or damaged; `out` contains other data.
    """
    from speechvq.video.recording.episode import read_window
    from speechvq.video.recording.recording import episode_path, read_recording, split_of

    recording = read_recording(root)

    def read_all(split: str) -> Iterator[tuple[np.ndarray, int]]:
        for number in range(recording.episodes):
            if split_of(number) != split:
                continue
            for start in range(0, recording.frames, FRAME_STEP):
                frames = read_window(episode_path(root, number), start, 1).frames
                yield frames[0].transpose(2, 0, 1), 0

    def read(split: str, start: int) -> Iterator[tuple[np.ndarray, int]]:
        return islice(read_all(split), start, None)

    source = f"frames {root.resolve()} {recording.episodes}"
    files = [path for n in range(recording.episodes) if (path := episode_path(root, n)).exists()]
    splits = {"train": read, "test": read}
    return prepare(out, source, recording.pixels, [], splits, listing_digest(files, root))


def _print_report(report: LoadReport) -> None:
    """Counts of converted and skipped images; logs the first skipped ones."""
    for kind, counter in (("converted", report.converted), ("skipped", report.skipped)):
        for reason, count in Counter(counter).most_common():
            print(f"{kind}: {count} ({reason})")
    for message in report.messages[:MAX_MESSAGES]:
        logger.warning("%s", message)
    if len(report.messages) > MAX_MESSAGES:
        logger.warning("and %d more", len(report.messages) - MAX_MESSAGES)
