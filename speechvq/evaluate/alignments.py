"""`python -m speechvq.evaluate alignments`: how accurate are phone boundaries against a reference?"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.directory import open_alignments
from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import MISSING, align, number
from speechvq.errors import UserError
from speechvq.metrics.units.boundaries import boundary_errors, summarize_boundaries
from speechvq.results.alignments import AlignmentsResult


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate alignments", __doc__)
    flags.add_alignments(parser)
    flags.add_keep_labels(parser)
    parser.add_argument(
        "--reference", type=Path, required=True, help="reference alignments, for example data/mini/lab"
    )
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    directories = [
        open_alignments(each, keep_labels=arguments.keep_labels)
        for each in (arguments.alignments, arguments.reference)
    ]
    num_references = len(directories[1].places)
    directories[1] = directories[1].named_as(directories[0].names)
    found, reference = (each.read_all() for each in directories)
    both = sorted(found.keys() & reference.keys())
    if not both:
        raise UserError(
            f"{arguments.alignments}: no utterance is in {arguments.reference} too; files are matched by name"
        )
    try:
        compared = [boundary_errors(found[utt], reference[utt]) for utt in both]
        boundary_metrics = summarize_boundaries(compared)
    except UserError as error:
        raise UserError(f"{arguments.alignments}: {error}") from error
    except ValueError as error:
        raise UserError(f"{arguments.alignments}: {error}; are both of the 39 phones of CMUdict?") from error
    result = AlignmentsResult(
        utterances=len(compared),
        missing_utterances=num_references - len(both),
        boundaries=sum(each.total for each in compared),
        boundaries_compared=sum(len(each.errors) for each in compared),
        metrics={each.name: each for each in boundary_metrics},
    )
    print(alignments_table(result, extra=len(found) - len(both)))
    for each in directories:
        if merged := each.describe_labels():
            print(f"{each.path}: {merged}")
    if arguments.json:
        result.save(arguments.json)


def alignments_table(result: AlignmentsResult, *, extra: int) -> str:
    """Boundary errors as text, beside those of phones of equal duration.

    Args:
        result: what is shown.
        extra: how many utterances have no reference.
    """
    rows = [["", "value", "95 % CI", "equal durations"]]
    for figure in result.metrics.values():
        scale = 100 if figure.unit == "%" else 1
        value, low, high, baseline = (
            number(scale * each, 1) for each in (figure.value, figure.low, figure.high, figure.baseline)
        )
        interval = MISSING if low == MISSING else f"{low} to {high}"
        rows.append([figure.label, value, interval, baseline])
    notes = (
        f"{result.boundaries_compared} of {result.boundaries} boundaries of {result.utterances} utterances "
        "compared: those between the same two phones",
        f"{result.missing_utterances} utterances of the reference are missing, {extra} are not in it",
        "equal durations: the same phones, all of the same length; 95 % CI: bootstrap over utterances",
    )
    return "\n".join([align(rows, left=1), *notes])
