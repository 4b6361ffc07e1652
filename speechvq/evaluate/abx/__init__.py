"""`python -m speechvq.evaluate abx`: ABX error of codes or features, within and across speakers.

X and A are two examples of one phone, B of another; the error is how often X is closer to B (ZeroSpeech 2021,
as in fastabx). Chance is 50 %. Features are compared by angle; codes by the angle of their
codebook vectors with --model, otherwise by equality.
"""

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from speechvq.alignment.directory import open_alignments
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import align, in_percent, interval
from speechvq.data.codes_directory import CodesDirectory, open_codes
from speechvq.data.features_directory import FeaturesDirectory, open_features
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.errors import UserError
from speechvq.evaluate.abx.corpus import Corpus, Frames, read_corpus

if TYPE_CHECKING:
    from speechvq.metrics.units.abx import AbxScore
    from speechvq.metrics.units.frame_distance import FrameDistance
    from speechvq.results.abx import AbxResult, AbxUnits

BY_ANGLE, BY_VECTORS, BY_EQUALITY = "angle of features", "angle of vectors", "equal or not"


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate abx", __doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    flags.add_codes(source, required=False)
    source.add_argument(
        "--features", type=Path, help="features directory: meta.json and UTT.npy of numbers (N, C)"
    )
    flags.add_alignments(parser)
    flags.add_keep_labels(parser)
    flags.add_shift_alignments(parser)
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
        help="segments that are compared",
    )
    parser.add_argument(
        "--context",
        choices=("within", "any"),
        default="within",
        help="whether A, B and X must have the same neighboring phones",
    )
    parser.add_argument(
        "--max-group",
        type=int,
        default=10,
        help="items per phone, context and speaker, 0 for all",
    )
    parser.add_argument(
        "--max-across",
        type=int,
        default=5,
        help="speakers of X for each A, 0 for all",
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
    alignments = open_alignments(arguments.alignments, tier=arguments.tier, keep_labels=arguments.keep_labels)
    corpus = read_corpus(source, asked, alignments, arguments.items, shift=arguments.shift_alignments)
    distance_of, name = _distance(source, arguments)
    units = _score(name, corpus, distance_of(corpus.frames), arguments)
    if not units.within.cells and not units.across.cells:
        raise UserError(
            f"{source.path}: no two {arguments.items}s to compare among {len(corpus.items)}; give more "
            "speech or --items phoneme --context any"
        )
    baselines: dict[str, AbxUnits] = {}
    if arguments.baselines and isinstance(source, CodesDirectory):
        baselines = _baselines(source, corpus, distance_of, manifest, arguments)
    result = _result(arguments, corpus, units, baselines)
    print(abx_table(str(source.path), result, utterances=len(corpus.utterances)))
    if merged := alignments.describe_labels():
        print(merged)
    if arguments.json:
        result.save(arguments.json)


def _check(arguments: argparse.Namespace) -> None:
    """Refuse numbers and flags that do not fit together."""
    if min(arguments.max_group, arguments.max_across) < 0 or arguments.max_group == 1:
        raise UserError("--max-group: give 2 or more, or 0 for all; --max-across: 0 or more")
    if arguments.model and arguments.features:
        raise UserError("--model: is for --codes; features are vectors already")
    if arguments.baselines and arguments.features:
        raise UserError("--baselines: is for --codes; features have no number of codes")


def _score(name: str, corpus: Corpus, distance: "FrameDistance", arguments: argparse.Namespace) -> "AbxUnits":
    from speechvq.metrics.units.abx import AbxOptions, abx_error
    from speechvq.results.abx import AbxUnits

    limits = (arguments.max_group or None, arguments.max_across or None, arguments.seed)
    within = abx_error(corpus.items, distance, AbxOptions("within", arguments.context, *limits))
    across = abx_error(corpus.items, distance, AbxOptions("across", arguments.context, *limits))
    return AbxUnits(name, within, across)


def _distance(
    source: Frames, arguments: argparse.Namespace
) -> "tuple[Callable[[np.ndarray], FrameDistance], str]":
    """The distance between frames, given all frames in order; and its name."""
    from speechvq.metrics.units.frame_distance import angular, codebook_angular, identical

    if isinstance(source, FeaturesDirectory):
        return angular, BY_ANGLE
    if not arguments.model:
        return identical, BY_EQUALITY
    codebook = _codebook(source, arguments.model)
    return lambda codes: codebook_angular(codes, codebook), BY_VECTORS


def _baselines(
    codes: CodesDirectory,
    corpus: Corpus,
    distance_of: "Callable[[np.ndarray], FrameDistance]",
    manifest: Sequence[Utterance],
    arguments: argparse.Namespace,
) -> "dict[str, AbxUnits]":
    """Errors of other units of the same speech, at the same rate and number of codes, on the same triples."""
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
    names = {"MFCC": BY_ANGLE}
    default = BY_VECTORS if by_vectors else BY_EQUALITY
    return {
        name: _score(names.get(name, default), corpus, distance, arguments)
        for name, distance in distances.items()
    }


def _codebook(codes: CodesDirectory, path: Path) -> np.ndarray:
    """The vectors of the codes, (K, D).

    Raises:
        UserError: no such model, or another model made the codes.
    """
    import speechvq

    model = speechvq.load(path)
    other = codes.codebook and codes.codebook != model.fingerprint()
    if other or codes.num_codes != model.config.quantizer.num_codes:
        raise UserError(f"{codes.path}: these codes were not made by {path}; give the model that made them")
    vectors: np.ndarray = model.quantizer.codebook.detach().cpu().numpy()
    return vectors


def _result(
    arguments: argparse.Namespace, corpus: Corpus, units: "AbxUnits", baselines: "dict[str, AbxUnits]"
) -> "AbxResult":
    from speechvq.results.abx import AbxResult

    return AbxResult(
        items=arguments.items,
        context=arguments.context,
        max_group=arguments.max_group,
        max_across=arguments.max_across,
        seed=arguments.seed,
        split=arguments.split,
        num_items=len(corpus.items),
        dropped_items=corpus.dropped,
        missing_utterances=corpus.missing,
        chance=0.5,
        units=units,
        baselines=baselines,
    )


def abx_table(name: str, result: "AbxResult", *, utterances: int) -> str:
    """A row per kind of units, and below the table what the scores were computed from.

    Args:
        name: of the units.
        result: what is shown.
        utterances: how many were read.
    """
    title = (
        f"{abx_title(result)}: {result.num_items} items of {utterances} "
        f"utterances, {result.dropped_items} left out"
    )
    rows = [["", "distance", "within speakers", "95 % CI", "across speakers", "95 % CI"]]
    for each, units in {name: result.units, **result.baselines}.items():
        rows.append([each, units.distance, *error_cells(units.within), *error_cells(units.across)])
    chance = in_percent(result.chance, 2)
    rows.append(["chance", "", chance, "", chance, ""])
    notes = [
        f"{which} speakers: {score.pairs} pairs of phones, {score.cells} cells, {score.triples} triples"
        for which, score in (("within", result.units.within), ("across", result.units.across))
    ]
    return "\n".join([title, align(rows, left=2), *notes, "95 % CI: bootstrap over speakers"])


def abx_title(result: "AbxResult") -> str:
    """Which items are compared, and in which contexts."""
    where = "in equal contexts" if result.context == "within" else "in any context"
    return f"ABX error of {result.items}s {where} (%) ↓"


def error_cells(score: "AbxScore") -> tuple[str, str]:
    """An error and its confidence interval as text."""
    if not score.cells:
        return "-", "-"
    return in_percent(score.error, 2), interval((score.low, score.high), as_percent=True, digits=2)
