"""`python -m speechvq.prepare`: prepare a published corpus, or record a world, for training."""

import argparse
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tally import tally_line
from speechvq.data.corpora import folder, lhotse, librispeech, vctk
from speechvq.data.corpora.recording import CorpusListing
from speechvq.data.preparation import PROBLEMS, Summary, prepare_corpus, reserve_folder
from speechvq.data.splits import SplitRule
from speechvq.errors import UserError
from speechvq.io.folder_lock import folder_lock
from speechvq.prepare.images import IMAGES, MAX_MESSAGES, prepare_images
from speechvq.runtime.engine_choice import LOCAL, open_engine
from speechvq.runtime.logging import logger
from speechvq.runtime.progress import counter

CORPORA, WORLDS = ("vctk", "librispeech", "folder", "lhotse", "mini"), ("maze", "doom")
MAX_COUNT = 10**9


def main(argv: Sequence[str] | None = None) -> int:
    """Prepare a corpus; existing results are kept.

    Returns:
        0, 2 after a user's mistake, 130 after Ctrl-C (the same command continues).
    """
    return run(build_parser(), _prepare, argv, resumes=True)


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("prepare", __doc__)
    parser.add_argument(
        "corpus",
        choices=(*CORPORA, *WORLDS, *IMAGES),
        help="speech: vctk, librispeech, folder (SPEAKER/*.wav and other formats), mini (synthesized); "
        "video: maze, doom (recorded); images: cifar10, images (any folder), frames (of a recorded world)",
    )
    parser.add_argument(
        "--root", type=Path, help="folder of the corpus, or for --download; not for mini, maze and doom"
    )
    parser.add_argument(
        "--cuts",
        type=Path,
        help="lhotse: CutSet in .jsonl or .jsonl.gz (extra lhotse); relative paths in it begin in --root "
        "(default: the current folder)",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder to create, for example data/vctk")
    flags.add_jobs(parser)
    flags.add_engine(parser)
    parser.add_argument("--mic", type=int, choices=(1, 2), default=1, help="vctk 0.92: microphone")
    parser.add_argument(
        "--download",
        nargs="?",
        const="",
        metavar="SUBSET",
        help="download the corpus into --root first; librispeech: which subset (default: train-clean-100)",
    )
    parser.add_argument(
        "--keep-silence",
        action="store_true",
        help="keep the silence at the ends of recordings, so that their alignments stay valid (default: "
        "trimmed; labels beside the recordings are shifted)",
    )
    splits = parser.add_argument_group("splits")
    flags.add_seed(splits, "splits, sentences of mini, and worlds")
    splits.add_argument(
        "--dev-fraction",
        type=float,
        default=0.05,
        help="fraction of each speaker's utterances in split dev",
    )
    splits.add_argument(
        "--test-fraction",
        type=float,
        default=0.05,
        help="fraction of each speaker's utterances in split test",
    )
    splits.add_argument(
        "--unseen-speakers",
        default="0",
        help="speakers kept out of training: a number, or names such as p225,p226 (default: none)",
    )
    mini = parser.add_argument_group("mini, the built-in corpus")
    _add_count(mini, "--speakers", 10, "number of speakers")
    _add_count(mini, "--sentences", 40, "sentences per speaker")
    worlds = parser.add_argument_group("maze and doom, worlds that are recorded")
    _add_count(worlds, "--episodes", 400, "number of episodes; more can be added later")
    _add_count(worlds, "--frames", 100, "frames per episode")
    images = parser.add_argument_group("cifar10, images (any folder), frames (of a recorded world)")
    _add_count(images, "--size", 128, "images: height and width in pixels; smaller images are skipped")
    return parser


def _add_count(group: flags.Parser, name: str, default: int, help: str) -> None:
    """A number of things, at least one."""
    flags.add_number(group, name, int, 1, MAX_COUNT, default=default, help=help)


def _prepare(arguments: argparse.Namespace) -> None:
    with folder_lock(arguments.out, "prepare"):
        _prepare_alone(arguments)


def _prepare_alone(arguments: argparse.Namespace) -> None:
    if arguments.engine != LOCAL and arguments.corpus in (*WORLDS, *IMAGES):
        raise UserError(
            f"--engine {arguments.engine}: for corpora of speech; leave it out for {arguments.corpus}"
        )
    if arguments.corpus in WORLDS:
        _record(arguments)
        return
    if arguments.corpus in IMAGES:
        prepare_images(arguments)
        return
    rule = SplitRule(
        arguments.dev_fraction, arguments.test_fraction, arguments.unseen_speakers, arguments.seed
    )
    found, source = _find(arguments)
    with open_engine(arguments.engine, arguments.address, arguments.jobs) as engine:
        summary = prepare_corpus(
            found, arguments.out, rule, source=source, engine=engine, keep_silence=arguments.keep_silence
        )
    _print_summary(summary, arguments.out)


def _find(arguments: argparse.Namespace) -> tuple[CorpusListing, str]:
    """The recordings, and a string that identifies their source."""
    if arguments.corpus == "mini":
        return _mini(arguments)
    if arguments.corpus == "lhotse":
        return _lhotse(arguments)
    if arguments.root is None:
        raise UserError(f"--root is missing; give the folder of the {arguments.corpus} corpus")
    root = arguments.root
    if arguments.download is not None:
        _download(arguments)
    source = f"{arguments.corpus} {root.resolve()}"
    with counter(1, label="list the recordings", unit="corpus"):  # a large corpus takes a while
        match arguments.corpus:
            case "vctk":
                return vctk.recordings(root, mic=arguments.mic), f"{source} mic{arguments.mic}"
            case "librispeech":
                return librispeech.recordings(root), source
            case "folder":
                return folder.recordings(root, out=arguments.out), source
    raise NotImplementedError(f"no module reads the corpus {arguments.corpus}")


def _download(arguments: argparse.Namespace) -> None:
    match arguments.corpus:
        case "vctk":
            vctk.download(arguments.root)
        case "librispeech":
            librispeech.download(arguments.root, arguments.download or librispeech.DEFAULT_SUBSET)
        case _:
            raise UserError("--download is for vctk and librispeech; put your own recordings into --root")


def _mini(arguments: argparse.Namespace) -> tuple[CorpusListing, str]:
    from speechvq.data.corpora.mini import corpus  # the only corpus with an optional dependency

    counts = {"speakers": arguments.speakers, "sentences": arguments.sentences, "seed": arguments.seed}
    source = f"mini {counts}"
    # Before another corpus overwrites the first.
    reserve_folder(arguments.out, source, keep_silence=arguments.keep_silence)
    corpus.build(arguments.out, **counts, jobs=arguments.jobs)
    return folder.recordings(arguments.out / "recordings"), source


def _lhotse(arguments: argparse.Namespace) -> tuple[CorpusListing, str]:
    if arguments.cuts is None:
        raise UserError("--cuts is missing; give the CutSet, .jsonl or .jsonl.gz")
    with counter(1, label="list the recordings", unit="corpus"):
        found = lhotse.recordings(arguments.cuts, root=arguments.root)
    return found, f"lhotse {arguments.cuts.resolve()}"


def _record(arguments: argparse.Namespace) -> None:
    from speechvq.video.recording.recording import Recording, record, split_of

    episodes, frames = arguments.episodes, arguments.frames
    recording = Recording(arguments.corpus, arguments.seed, episodes, frames)
    recorded = record(arguments.out, recording, jobs=arguments.jobs)
    splits = Counter(split_of(number) for number in range(episodes))
    print(f"{arguments.out}: {episodes} episodes of {frames} frames, {recorded} recorded now")
    print("splits: " + ", ".join(f"{split} {count}" for split, count in sorted(splits.items())))


def _print_summary(summary: Summary, out: Path) -> None:
    utterances = summary.utterances
    hours = sum(utterance.seconds for utterance in utterances) / 3600
    speakers = len({utterance.speaker for utterance in utterances})
    splits = Counter(utterance.split for utterance in utterances)
    print(f"{out}: {len(utterances)} utterances, {speakers} speakers, {hours:.2f} hours")
    print("splits: " + ", ".join(f"{split} {count}" for split, count in sorted(splits.items())))
    done, failed = len(utterances) - summary.kept, sum(summary.skipped.values())
    print(tally_line(done, summary.kept, failed))
    for change, count in summary.changes.most_common():
        print(f"changed: {count} files with {change}")
    if summary.trimmed:
        print(
            f"trimmed: {summary.cut / len(utterances):.2f} s of silence on average, at the ends of "
            f"{summary.trimmed} recordings; labels beside them are shifted, for other alignments of the "
            "originals evaluate has --shift-alignments (--keep-silence trims nothing)"
        )
    if summary.without_text:
        print(f"kept without text: {summary.without_text}")
    for reason, count in summary.skipped.most_common():
        print(f"skipped: {count} ({reason})")
    for problem in summary.problems[:MAX_MESSAGES]:
        logger.warning("%s", problem)
    if len(summary.problems) > MAX_MESSAGES:
        rest = len(summary.problems) - MAX_MESSAGES
        logger.warning("and %d more in %s", rest, out / PROBLEMS)
