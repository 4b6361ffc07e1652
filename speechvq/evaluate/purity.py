"""`python -m speechvq.evaluate purity`: are the codes phonemes? Of any units with any phone alignments."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.directory import open_alignments
from speechvq.audio.waveform import read_waveform
from speechvq.cli.command import run
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.evaluate.unit_tables import purity_table
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units.purity import Score, score_units


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate purity", description=__doc__)
    parser.add_argument(
        "--codes", type=Path, required=True, help="meta.json and UTT.npy, as encode makes them; anybody's"
    )
    parser.add_argument(
        "--alignments", type=Path, required=True, help="folder of .lab, .TextGrid or .ctm, or one .ctm"
    )
    parser.add_argument(
        "--manifest", type=Path, help="whose each utterance is, for the held-out map; its sound, for --plot"
    )
    parser.add_argument("--tier", help="of TextGrids (default: phones, phone, MAU, or the only one)")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--plot", type=Path, help="draw phones by codes and one utterance into this PNG")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes = open_codes(arguments.codes)
    alignments = open_alignments(arguments.alignments, tier=arguments.tier)
    manifest = {u.utt: u for u in read_manifest(arguments.manifest)} if arguments.manifest else {}
    corpus = AlignedCodes(codes, alignments, manifest)
    scores = score_units(corpus.read(), codes.num_codes, codes.frame_rate_hz)
    if not scores["all"].figures["frames"]:
        raise UserError(f"{codes.path}: no code lies within a phone; does frame_rate_hz fit the alignments?")
    print(corpus.describe(), purity_table(scores), sep="\n\n")
    corpus.warn(scores["all"])
    if arguments.json:
        write_bytes(arguments.json, json.dumps(corpus.content(scores), indent=1, allow_nan=False).encode())
    if arguments.plot:
        _plot(arguments.plot, corpus, scores["all"])


def _plot(path: Path, corpus: AlignedCodes, score: Score) -> None:
    """The matrix of all utterances, and the one in the middle."""
    from speechvq.plots.units import draw_units

    name = corpus.names[len(corpus.names) // 2]
    wave = read_waveform(corpus.manifest[name].path) if name in corpus.manifest else None
    draw_units(
        path,
        score,
        corpus.labelled(name),
        wave,
        title=name,
        frame_rate=corpus.codes.frame_rate_hz,
    )
