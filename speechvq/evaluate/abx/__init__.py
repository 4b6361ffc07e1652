"""`python -m speechvq.evaluate abx`: are sounds of one phone nearer to one another than to those of another?

ABX error within and across speakers, as ZeroSpeech 2021 and fastabx define it; lower is better, chance 50 %.
Features are compared by their angle, codes by the angle of their vectors with --model, else as equal or not.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from speechvq.alignment.directory import open_alignments
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import align
from speechvq.data.codes_directory import CodesDirectory, open_codes
from speechvq.data.features_directory import FeaturesDirectory, open_features
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.evaluate.abx.corpus import Corpus, Frames, read_corpus
from speechvq.io.atomic import write_bytes

if TYPE_CHECKING:
    from speechvq.metrics.frame_distance import FrameDistance
    from speechvq.metrics.units.abx import AbxScore

SPEAKERS = ("within", "across")


class Compared(NamedTuple):
    """How the frames of some units are compared, and the scores that gives."""

    words: str
    scores: "dict[str, AbxScore]"  # by SPEAKERS


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate abx", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    flags.add_codes(source, required=False)
    source.add_argument(
        "--features", type=Path, help="features directory: meta.json and UTT.npy of numbers (N, C)"
    )
    flags.add_alignments(parser)
    flags.add_manifest(parser, "the speakers", required=True)
    parser.add_argument(
        "--model", type=Path, help="model of the codes, for the distance between codebook vectors"
    )
    parser.add_argument(
        "--baselines",
        action="store_true",
        help="score MFCC, k-means on MFCC (fitted on split train) and shuffled codes too",
    )
    flags.add_split(parser)
    flags.add_tier(parser)
    parser.add_argument(
        "--items",
        choices=("triphone", "phoneme"),
        default="triphone",
        help="segments that are compared (default: %(default)s)",
    )
    parser.add_argument(
        "--context",
        choices=("within", "any"),
        default="within",
        help="whether A, B and X must have the same neighboring phones (default: %(default)s)",
    )
    parser.add_argument(
        "--max-group",
        type=int,
        default=10,
        help="items per phone, context and speaker, 0 for all (default: %(default)s)",
    )
    parser.add_argument(
        "--max-across",
        type=int,
        default=5,
        help="speakers of X for each A, 0 for all (default: %(default)s)",
    )
    flags.add_seed(parser, "the choice of items and speakers")
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    _check(arguments)
    source = open_codes(arguments.codes) if arguments.codes else open_features(arguments.features)
    manifest = read_manifest(arguments.manifest)
    asked = [u for u in manifest if arguments.split in ("", u.split)]
    alignments = open_alignments(arguments.alignments, tier=arguments.tier)
    corpus = read_corpus(source, asked, alignments, arguments.items)
    distance_of, words = _distance(source, arguments)
    ours = Compared(words, _score(corpus, distance_of(corpus.frames), arguments))
    if not any(score.cells for score in ours.scores.values()):
        raise UserError(
            f"{source.path}: no two {arguments.items}s to compare among {len(corpus.items)}; give more "
            "speech or --items phoneme --context any"
        )
    compared = {str(source.path): ours}
    if arguments.baselines and isinstance(source, CodesDirectory):
        compared |= _baselines(source, corpus, distance_of, manifest, arguments)
    print(_table(compared, corpus, arguments))
    if arguments.json:
        _write_json(arguments, compared, corpus)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse numbers and flags that do not fit."""
    if min(arguments.max_group, arguments.max_across) < 0 or arguments.max_group == 1:
        raise UserError("--max-group: give 2 or more, or 0 for all; --max-across: 0 or more")
    if arguments.model and arguments.features:
        raise UserError("--model: is for --codes; features are vectors already")
    if arguments.baselines and arguments.features:
        raise UserError("--baselines: is for --codes; features have no number of codes")


def _score(corpus: Corpus, distance: "FrameDistance", arguments: argparse.Namespace) -> "dict[str, AbxScore]":
    from speechvq.metrics.units.abx import AbxOptions, abx_error

    limits = (arguments.max_group or None, arguments.max_across or None, arguments.seed)
    rules = {name: AbxOptions(name, arguments.context, *limits) for name in SPEAKERS}
    return {name: abx_error(corpus.items, distance, rule) for name, rule in rules.items()}


def _distance(
    source: Frames, arguments: argparse.Namespace
) -> "tuple[Callable[[np.ndarray], FrameDistance], str]":
    """How frames are compared, and the same in words."""
    from speechvq.metrics.frame_distance import angular, codebook_angular, identical

    if isinstance(source, FeaturesDirectory):
        return angular, "angle of features"
    if not arguments.model:
        return identical, "equal or not"
    codebook = _codebook(source, arguments.model)
    return lambda codes: codebook_angular(codes, codebook), "angle of vectors"


def _baselines(
    codes: CodesDirectory,
    corpus: Corpus,
    distance_of: "Callable[[np.ndarray], FrameDistance]",
    manifest: Sequence[Utterance],
    arguments: argparse.Namespace,
) -> dict[str, Compared]:
    """Other units of the same speech, at the same rate and number of codes, by the same triples."""
    from speechvq.evaluate.abx.baselines import baseline_distances

    by_vectors = arguments.model is not None
    distances = baseline_distances(
        corpus,
        distance_of,
        manifest=manifest,
        num_codes=codes.num_codes,
        frame_rate_hz=codes.frame_rate_hz,
        by_vectors=by_vectors,
        seed=arguments.seed,
    )
    words = {"MFCC": "angle of features"}
    other = "angle of vectors" if by_vectors else "equal or not"
    return {
        name: Compared(words.get(name, other), _score(corpus, distance, arguments))
        for name, distance in distances.items()
    }


def _codebook(codes: CodesDirectory, path: Path) -> np.ndarray:
    """The vectors of the codes, (K, D).

    Raises:
        UserError: no such model, or the codes are another's.
    """
    import speechvq

    model = speechvq.load(path)
    other = codes.codebook and codes.codebook != model.fingerprint()
    if other or codes.num_codes != model.config.quantizer.num_codes:
        raise UserError(f"{codes.path}: these codes were not made by {path}; give the model that made them")
    return model.quantizer.codebook.detach().cpu().numpy()


def _table(compared: dict[str, Compared], corpus: Corpus, arguments: argparse.Namespace) -> str:
    """A row for each kind of units, and below it what the scores were made of."""
    where = "in equal contexts" if arguments.context == "within" else "in any context"
    title = (
        f"ABX error of {arguments.items}s {where}: {len(corpus.items)} items of {len(corpus.utterances)} "
        f"utterances, {corpus.dropped} left out"
    )
    rows = [["", "compared by", "within speakers", "95 % interval", "across speakers", "95 % interval"]]
    for name, (words, scores) in compared.items():
        rows.append([name, words, *(cell for each in SPEAKERS for cell in _cells(scores[each]))])
    rows.append(["chance", "", "50 %", "", "50 %", ""])
    notes = [
        f"{name} speakers: {score.pairs} pairs of phones, {score.cells} cells, {score.triples} triples"
        for name, score in next(iter(compared.values())).scores.items()
    ]
    return "\n".join([title, align(rows, left=2), *notes, "intervals: other speakers, by the bootstrap"])


def _cells(score: "AbxScore") -> tuple[str, str]:
    """Error and interval as text."""
    if not score.cells:
        return "-", "-"
    error, low, high = (f"{100 * value:.2f} %" for value in score[:3])
    return error, f"{low} to {high}"


def _write_json(arguments: argparse.Namespace, compared: dict[str, Compared], corpus: Corpus) -> None:
    """Every number that was printed, and what it was measured with."""
    ours, *others = compared
    content = {
        "items": arguments.items,
        "context": arguments.context,
        "distance": compared[ours].words,
        "max_group": arguments.max_group,
        "max_across": arguments.max_across,
        "seed": arguments.seed,
        "split": arguments.split,
        "num_items": len(corpus.items),
        "dropped_items": corpus.dropped,
        "missing_utterances": corpus.missing,
        "chance": 0.5,
        **_numbers(compared[ours]),
        "baselines": {
            name: {"distance": compared[name].words, **_numbers(compared[name])} for name in others
        },
    }
    write_bytes(arguments.json, json.dumps(content, indent=1, allow_nan=False).encode())


def _numbers(compared: Compared) -> dict[str, dict[str, Any]]:
    """Scores by speakers, None for NaN."""
    return {
        name: {key: None if value != value else value for key, value in score._asdict().items()}
        for name, score in compared.scores.items()
    }
