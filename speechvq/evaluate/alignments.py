"""`python -m speechvq.evaluate alignments`: how near are the phones' boundaries to those of a reference?"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.directory import read_alignments
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import align, number, percent
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units.boundaries import (
    BoundaryErrors,
    BoundarySummary,
    boundary_errors,
    summarize_boundaries,
)


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate alignments", description=__doc__)
    flags.add_alignments(parser)
    parser.add_argument(
        "--reference", type=Path, required=True, help="reference alignments, for example data/mini/lab"
    )
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    found, reference = read_alignments(arguments.alignments), read_alignments(arguments.reference)
    both = sorted(found.keys() & reference.keys())
    if not both:
        raise UserError(
            f"{arguments.alignments}: no utterance is in {arguments.reference} too; files are matched by name"
        )
    compared = [boundary_errors(found[utt], reference[utt]) for utt in both]
    try:
        figures = summarize_boundaries(compared)
    except ValueError as error:
        raise UserError(f"{arguments.alignments}: {error}; are both of the 39 phones of CMUdict?") from error
    missing = len(reference) - len(both)
    print(_table(figures, compared, missing=missing, extra=len(found) - len(both)))
    if arguments.json:
        _write_json(arguments.json, figures, compared, missing)


def _table(
    figures: Sequence[BoundarySummary], compared: Sequence[BoundaryErrors], *, missing: int, extra: int
) -> str:
    rows = [["", "measured", "95 % interval", "evenly spread"]]
    for figure in figures:
        show = percent if figure.unit == "%" else (lambda value: f"{number(value, 1)} ms")
        interval = f"{show(figure.low)} to {show(figure.high)}"
        rows.append([figure.label, show(figure.value), interval, show(figure.baseline)])
    count, total = sum(len(each.errors) for each in compared), sum(each.total for each in compared)
    notes = (
        f"{count} of {total} boundaries of {len(compared)} utterances: same phones on both sides",
        f"{missing} utterances of the reference are missing, {extra} are not in it",
        "evenly spread: the same phones, all equally long",
    )
    return "\n".join([align(rows, left=1), *notes])


def _write_json(
    path: Path, figures: Sequence[BoundarySummary], compared: Sequence[BoundaryErrors], missing: int
) -> None:
    content = {
        "utterances": len(compared),
        "missing_utterances": missing,
        "boundaries": sum(each.total for each in compared),
        "boundaries_compared": sum(len(each.errors) for each in compared),
        "figures": {f.name: f._asdict() | {"baseline": _known(f.baseline)} for f in figures},
    }
    write_bytes(path, json.dumps(content, indent=1, allow_nan=False).encode())


def _known(value: float) -> float | None:
    """None for NaN, which JSON does not have."""
    return value if value == value else None
