"""What `python -m speechvq.prepare` does with pictures: CIFAR-10, folders, frames of a recorded world."""

import argparse
import sys
from collections import Counter
from pathlib import Path

from speechvq.errors import UserError
from speechvq.images import cifar10
from speechvq.images.folder import LoadReport
from speechvq.images.preparation import Pictures, Prepared, prepare, prepare_cifar10, prepare_folder

PICTURES = ("cifar10", "pictures", "frames")
COMPLAINTS_SHOWN = 10
EVERY = 5  # frames of a recording from one that is taken to the next; neighbours are nearly the same


def prepare_pictures(arguments: argparse.Namespace) -> None:
    """Prepare what `--root` has, and say what became of it.

    Raises:
        UserError: nothing there that can be used, or `--out` holds something else.
    """
    report = LoadReport()
    if arguments.root is None:
        raise UserError(f"--root is missing; give the folder of {arguments.corpus}")
    if arguments.corpus == "cifar10":
        prepared = _cifar10(arguments)
    elif arguments.download is not None:
        raise UserError(f"--download is not for {arguments.corpus}; put the pictures into --root")
    elif arguments.corpus == "frames":
        prepared = prepare_frames(arguments.root, arguments.out)
    else:
        prepared = prepare_folder(arguments.root, arguments.out, arguments.size, report)
    counts = ", ".join(f"{split} {count}" for split, count in prepared.splits.items())
    print(
        f"{arguments.out}: pictures of {prepared.size}x{prepared.size}: {counts}; {len(prepared.classes)} "
        "classes"
    )
    _tell(report)


def _cifar10(arguments: argparse.Namespace) -> Prepared:
    if arguments.download is not None:
        cifar10.download(arguments.root)
    prepared = prepare_cifar10(arguments.root, arguments.out)
    if prepared.splits != {"train": 5 * cifar10.RECORDS, "test": cifar10.RECORDS}:
        print("a slice of CIFAR-10, not all of its 50,000 and 10,000 pictures", file=sys.stderr)
    return prepared


def prepare_frames(root: Path, out: Path) -> Prepared:
    """Every fifth frame of the training and of the test episodes of a recording.

    Raises:
        UserError: no recording there, an episode is missing or damaged; `out` holds something else.
    """
    from speechvq.video.recording.episode import read_window
    from speechvq.video.recording.recording import episode_path, read_recording, split_of

    recording = read_recording(root)

    def read(split: str) -> Pictures:
        for number in range(recording.episodes):
            if split_of(number) != split:
                continue
            for start in range(0, recording.frames, EVERY):
                frames = read_window(episode_path(root, number), start, 1).frames
                yield frames[0].transpose(2, 0, 1), 0

    source = f"frames {root.resolve()} {recording.episodes}"
    return prepare(out, source, recording.pixels, [], {"train": read, "test": read})


def _tell(report: LoadReport) -> None:
    """What was converted and what was skipped, counted; and the first of those by name."""
    for kind, counter in (("converted", report.converted), ("skipped", report.skipped)):
        for reason, count in Counter(counter).most_common():
            print(f"{kind}: {count} ({reason})")
    for complaint in report.complaints[:COMPLAINTS_SHOWN]:
        print(complaint, file=sys.stderr)
    if len(report.complaints) > COMPLAINTS_SHOWN:
        print(f"and {len(report.complaints) - COMPLAINTS_SHOWN} more", file=sys.stderr)
