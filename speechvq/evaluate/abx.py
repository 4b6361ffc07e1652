"""`python -m speechvq.evaluate abx`: are sounds of one phone nearer to one another than to those of another?

ABX error within and across speakers, as ZeroSpeech 2021 and fastabx define it; lower is better, chance 50 %.
Features are compared by their angle, codes by the angle of their vectors with --model, else as equal or not.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from speechvq.audio.alignment_directory import open_alignments
from speechvq.audio.atomic import write_bytes
from speechvq.audio.codes_directory import CodesDirectory, open_codes
from speechvq.audio.features_directory import FeaturesDirectory, open_features
from speechvq.audio.manifest import read_manifest
from speechvq.command import run
from speechvq.errors import UserError
from speechvq.evaluate.tables import align
from speechvq.evaluation.abx_items import Item, find_items
from speechvq.progress import progress

if TYPE_CHECKING:
    from speechvq.evaluation.abx import AbxScore
    from speechvq.evaluation.frame_distance import FrameDistance


class Corpus(NamedTuple):
    """What is compared, and what could not be."""

    frames: np.ndarray  # (M,) codes or (M, C) features of all utterances
    items: list[Item]  # their frames are numbered over all utterances
    utterances: int
    missing: list[str]  # utterances of the manifest without frames or alignment
    dropped: int  # items shorter than a frame, or beyond the last


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate abx", description=__doc__)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--codes", type=Path, help="meta.json and UTT.npy of integers (N,), anybody's")
    source.add_argument("--features", type=Path, help="meta.json and UTT.npy of numbers (N, C)")
    parser.add_argument("--alignments", type=Path, required=True, help="folder of phone alignments")
    parser.add_argument("--manifest", type=Path, required=True, help="whose each utterance is")
    parser.add_argument(
        "--model", type=Path, help="whose codebook the codes are of, for the angle of vectors"
    )
    parser.add_argument("--split", default="", help="of the manifest, only this split")
    parser.add_argument("--tier", help="of TextGrids, by name; default looks for the phones")
    parser.add_argument(
        "--items", choices=("triphone", "phoneme"), default="triphone", help="what is compared"
    )
    parser.add_argument(
        "--context",
        choices=("within", "any"),
        default="within",
        help="must A, B and X have equal neighbours?",
    )
    parser.add_argument("--max-group", type=int, default=10, help="items of a phone, context, speaker; 0 all")
    parser.add_argument("--max-across", type=int, default=5, help="speakers of X for each A; 0 for all")
    parser.add_argument("--seed", type=int, default=0, help="of which items and speakers are drawn")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if min(arguments.max_group, arguments.max_across, arguments.seed) < 0 or arguments.max_group == 1:
        raise UserError("--max-group: give 2 or more, or 0 for all; --max-across and --seed: 0 or more")
    if arguments.model and arguments.features:
        raise UserError("--model: is for --codes; features are vectors already")
    source = open_codes(arguments.codes) if arguments.codes else open_features(arguments.features)
    corpus = _read(source, arguments)
    distance, words = _distance(source, corpus, arguments)

    from speechvq.evaluation.abx import AbxRule, abx_error

    limits = (arguments.max_group or None, arguments.max_across or None, arguments.seed)
    rules = {name: AbxRule(name, arguments.context, *limits) for name in ("within", "across")}
    scores = {name: abx_error(corpus.items, distance, rule) for name, rule in rules.items()}
    if not any(score.cells for score in scores.values()):
        raise UserError(
            f"{source.path}: no two {arguments.items}s to compare among {len(corpus.items)}; give more "
            "speech or --items phoneme --context any"
        )
    print(_table(scores, corpus, arguments, words))
    if arguments.json:
        _write_json(arguments, scores, corpus, words)


def _read(source: CodesDirectory | FeaturesDirectory, arguments: argparse.Namespace) -> Corpus:
    """Frames and items of every utterance that has both; the others are named on stderr."""
    alignments = open_alignments(arguments.alignments, tier=arguments.tier)
    asked = [u for u in read_manifest(arguments.manifest) if arguments.split in ("", u.split)]
    there = [u for u in asked if u.utt in source.files and u.utt in alignments.places]
    if not there:
        raise UserError(
            f"{source.path}: no utterance of the manifest has both frames and an alignment; name files as "
            f"utterances are{f', for example {asked[0].utt}.npy' if asked else ''}"
        )
    missing = [u.utt for u in asked if u not in there]
    if missing:
        print(f"no frames or no alignment for {len(missing)} of {len(asked)} utterances", file=sys.stderr)
    frames: list[np.ndarray] = []
    items: list[Item] = []
    dropped = end = 0
    for utterance in progress(there, total=len(there), label="read", unit="utterances"):
        found = source.read(utterance.utt)
        if frames and found.shape[1:] != frames[0].shape[1:]:
            raise UserError(
                f"{source.files[utterance.utt]}: {found.shape[1]} columns, others {frames[0].shape[1]}"
            )
        phones = alignments.read(utterance.utt)
        spoken, lost = find_items(
            phones, utterance.speaker, len(found), source.frame_rate_hz, arguments.items
        )
        items += [item._replace(first=item.first + end, end=item.end + end) for item in spoken]
        frames.append(found)
        dropped, end = dropped + lost, end + len(found)
    return Corpus(np.concatenate(frames), items, len(there), missing, dropped)


def _distance(
    source: CodesDirectory | FeaturesDirectory, corpus: Corpus, arguments: argparse.Namespace
) -> "tuple[FrameDistance, str]":
    """How frames are compared, and the same in words."""
    from speechvq.evaluation.frame_distance import angular, angular_of_codes, identical

    if isinstance(source, FeaturesDirectory):
        return angular(corpus.frames), "angle between features"
    if not arguments.model:
        return identical(corpus.frames), "codes equal or not"
    return angular_of_codes(corpus.frames, _codebook(source, arguments.model)), "angle between codes' vectors"


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


def _table(scores: "dict[str, AbxScore]", corpus: Corpus, arguments: argparse.Namespace, words: str) -> str:
    """A row each for within and across speakers."""
    where = "in equal contexts" if arguments.context == "within" else "in any context"
    title = (
        f"ABX error of {arguments.items}s {where}, {words}: {len(corpus.items)} items of {corpus.utterances} "
        f"utterances, {corpus.dropped} left out"
    )
    header = ["speakers", "error", "95 % interval", "chance", "pairs of phones", "cells", "triples"]
    rows = [header]
    for name, score in scores.items():
        error, low, high = (f"{100 * value:.2f} %" if score.cells else "-" for value in score[:3])
        interval = f"{low} to {high}" if score.cells else "-"
        rows.append([name, error, interval, "50 %", *map(str, score[3:])])
    return f"{title}\n{align(rows, left=1)}\nintervals: other speakers, by the bootstrap"


def _write_json(
    arguments: argparse.Namespace, scores: "dict[str, AbxScore]", corpus: Corpus, words: str
) -> None:
    """Every number that was printed, and what it was measured with."""
    content = {
        "items": arguments.items,
        "context": arguments.context,
        "distance": words,
        "max_group": arguments.max_group,
        "max_across": arguments.max_across,
        "seed": arguments.seed,
        "split": arguments.split,
        "num_items": len(corpus.items),
        "dropped_items": corpus.dropped,
        "missing_utterances": corpus.missing,
        "chance": 0.5,
    }
    for name, score in scores.items():
        content[name] = {k: None if v != v else v for k, v in score._asdict().items()}
    write_bytes(arguments.json, json.dumps(content, indent=1, allow_nan=False).encode())
