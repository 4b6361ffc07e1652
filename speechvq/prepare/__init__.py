"""`python -m speechvq.prepare`: a corpus as it was published, or a world, becomes what training reads."""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from speechvq.cli.command import run
from speechvq.data.corpora import folder, librispeech, vctk
from speechvq.data.corpora.recording import CorpusListing
from speechvq.data.preparation import COMPLAINTS, Summary, claim_folder, prepare_corpus
from speechvq.data.splits import SplitRule
from speechvq.errors import UserError
from speechvq.prepare.pictures import PICTURES, prepare_pictures

CORPORA, WORLDS = ("vctk", "librispeech", "folder", "mini"), ("maze", "doom")
COMPLAINTS_SHOWN = 10


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare a corpus; what was done already is kept.

    Returns:
        0, 2 after a user's mistake, 130 after Ctrl-C (call again to go on).
    """
    return run(build_parser(), _prepare, argv, resumes=True)


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser("speechvq.prepare", description=__doc__)
    parser.add_argument("corpus", choices=(*CORPORA, *WORLDS, *PICTURES))
    parser.add_argument(
        "--root", type=Path, help="where the corpus is, or is downloaded to; not for mini, maze, doom"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to make, for example data/vctk")
    parser.add_argument("--jobs", type=_whole, help="processes; default: one for each core")
    parser.add_argument("--mic", type=int, choices=(1, 2), default=1, help="vctk 0.92: which microphone")
    parser.add_argument(
        "--download",
        nargs="?",
        const="",
        metavar="SUBSET",
        help="download the corpus into --root first; librispeech: which subset, default train-clean-100",
    )
    splits = parser.add_argument_group("splits")
    splits.add_argument("--seed", type=int, default=0)
    splits.add_argument("--dev-fraction", type=float, default=0.05, help="of each speaker's utterances")
    splits.add_argument("--test-fraction", type=float, default=0.05)
    splits.add_argument(
        "--unseen-speakers", default="0", help="how many, or names (p225,p226), never to train on"
    )
    mini = parser.add_argument_group("mini, the built-in corpus")
    mini.add_argument("--speakers", type=_whole, default=10)
    mini.add_argument("--sentences", type=_whole, default=40, help="of each speaker")
    worlds = parser.add_argument_group("maze and doom, worlds that are recorded")
    worlds.add_argument("--episodes", type=_whole, default=400, help="more can be added later")
    worlds.add_argument("--frames", type=_whole, default=100, help="of each episode")
    pictures = parser.add_argument_group("cifar10, pictures (any folder), frames (of a recorded world)")
    pictures.add_argument(
        "--size", type=_whole, default=128, help="pictures: pixels of a side; smaller ones are skipped"
    )
    return parser


def _whole(text: str) -> int:
    """A count of at least one."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number of at least 1")
    return int(text)


def _prepare(arguments: argparse.Namespace) -> None:
    if arguments.corpus in WORLDS:
        _record(arguments)
        return
    if arguments.corpus in PICTURES:
        prepare_pictures(arguments)
        return
    rule = SplitRule(
        arguments.dev_fraction, arguments.test_fraction, arguments.unseen_speakers, arguments.seed
    )
    found, source = _find(arguments)
    summary = prepare_corpus(found, arguments.out, rule, source=source, jobs=arguments.jobs)
    _report(summary, arguments.out)


def _find(arguments: argparse.Namespace) -> tuple[CorpusListing, str]:
    """The recordings, and words that tell them from those of any other call."""
    if arguments.corpus == "mini":
        return _mini(arguments)
    if arguments.root is None:
        raise UserError(f"--root is missing; give the folder of the {arguments.corpus} corpus")
    root = arguments.root
    if arguments.download is not None:
        _download(arguments)
    source = f"{arguments.corpus} {root.resolve()}"
    match arguments.corpus:
        case "vctk":
            return vctk.recordings(root, mic=arguments.mic), f"{source} mic{arguments.mic}"
        case "librispeech":
            return librispeech.recordings(root), source
        case _:
            return folder.recordings(root), source


def _download(arguments: argparse.Namespace) -> None:
    match arguments.corpus:
        case "vctk":
            vctk.download(arguments.root)
        case "librispeech":
            librispeech.download(arguments.root, arguments.download or librispeech.DEFAULT_SUBSET)
        case _:
            raise UserError("--download is for vctk and librispeech; put your own sounds into --root")


def _mini(arguments: argparse.Namespace) -> tuple[CorpusListing, str]:
    from speechvq.data.corpora import mini  # the only corpus with an optional dependency

    counts = {"speakers": arguments.speakers, "sentences": arguments.sentences, "seed": arguments.seed}
    source = f"mini {counts}"
    claim_folder(arguments.out, source)  # before another corpus is spoken over the first
    mini.build(arguments.out, **counts, jobs=arguments.jobs)
    return folder.recordings(arguments.out / "recordings"), source


def _record(arguments: argparse.Namespace) -> None:
    from speechvq.video.recording.recording import Recording, record, split_of

    episodes, frames = arguments.episodes, arguments.frames
    recording = Recording(arguments.corpus, arguments.seed, episodes, frames)
    recorded = record(arguments.out, recording, jobs=arguments.jobs)
    splits = Counter(split_of(number) for number in range(episodes))
    print(f"{arguments.out}: {episodes} episodes of {frames} frames, {recorded} recorded now")
    print("splits: " + ", ".join(f"{split} {count}" for split, count in sorted(splits.items())))


def _report(summary: Summary, out: Path) -> None:
    utterances = summary.utterances
    hours = sum(utterance.seconds for utterance in utterances) / 3600
    speakers = len({utterance.speaker for utterance in utterances})
    splits = Counter(utterance.split for utterance in utterances)
    print(f"{out}: {len(utterances)} utterances, {speakers} speakers, {hours:.2f} hours")
    print("splits: " + ", ".join(f"{split} {count}" for split, count in sorted(splits.items())))
    for change, count in summary.changes.most_common():
        print(f"changed: {count} files with {change}")
    if summary.without_text:
        print(f"kept without text: {summary.without_text}")
    for reason, count in summary.skipped.most_common():
        print(f"skipped: {count} ({reason})")
    for complaint in summary.complaints[:COMPLAINTS_SHOWN]:
        print(complaint, file=sys.stderr)
    if len(summary.complaints) > COMPLAINTS_SHOWN:
        rest = len(summary.complaints) - COMPLAINTS_SHOWN
        print(f"and {rest} more in {out / COMPLAINTS}", file=sys.stderr)
