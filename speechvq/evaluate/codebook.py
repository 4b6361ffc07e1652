"""`python -m speechvq.evaluate codebook`: which codes are used, for how long, and what they cost."""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from speechvq.cli.command import run
from speechvq.data.codes_directory import open_codes
from speechvq.errors import UserError
from speechvq.evaluate.unit_tables import codebook_table
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units.codebook import score_codebook
from speechvq.runtime.progress import progress


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate codebook", description=__doc__)
    parser.add_argument(
        "--codes", type=Path, required=True, help="meta.json and UTT.npy, as encode makes them; anybody's"
    )
    parser.add_argument("--json", type=Path, help="write every number, counts and run lengths to this file")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes = open_codes(arguments.codes)
    names = sorted(codes.files)
    read = (codes.read(name) for name in progress(names, total=len(names), label="count", unit="utterances"))
    try:
        score = score_codebook(read, codes.num_codes, codes.frame_rate_hz)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{codes.path}: {error}") from error
    print(codebook_table(str(codes.path), codes.frame_rate_hz, score))
    if arguments.json:
        content = {
            **score.figures,
            "intervals": score.intervals,
            "counts": score.counts.tolist(),
            "run_lengths": score.run_lengths.tolist(),
        }
        write_bytes(arguments.json, json.dumps(content, indent=1, allow_nan=False).encode())
