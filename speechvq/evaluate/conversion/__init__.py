"""`python -m speechvq.evaluate conversion`: did the voice change, and did the sentence stay?

Of what convert made of a corpus (--manifest), or of anybody's conversions as three folders of sounds, matched
by name (--source, --converted, --target).
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.data.conversion_folders import match_folders
from speechvq.data.conversions import EvaluationFold, match_manifest
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.evaluate.conversion.measure import Measured, measure
from speechvq.evaluate.conversion.table import conversion_table, summary_table
from speechvq.judges.selection import select_metrics
from speechvq.metrics.summary import MetricSummary, summarize_conversions
from speechvq.results.conversion import ConversionResult, ConvertedUtterance


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate conversion", description=__doc__)
    parser.add_argument(
        "--converted",
        type=Path,
        required=True,
        help="DIR/TARGET/UTT.wav, as convert makes it; for one voice DIR/UTT.wav will do",
    )
    parser.add_argument("--manifest", type=Path, help="of the sources, for example data/mini")
    parser.add_argument("--source", type=Path, help="without a manifest: DIR/UTT.wav or DIR/SPEAKER/UTT.wav")
    parser.add_argument(
        "--target", type=Path, help="recordings of the target voice, or DIR/TARGET/*.wav of several"
    )
    parser.add_argument(
        "--references", type=int, default=10, help="recordings by which a voice is known (default 10)"
    )
    parser.add_argument(
        "--resynthesis", type=Path, help="the sources in their own voices: DIR/UTT.wav or DIR/SPEAKER/UTT.wav"
    )
    parser.add_argument(
        "--wer",
        type=Path,
        metavar="TEXTS",
        help="words misheard, against UTT.txt in this folder; downloads a recogniser of 360 MB",
    )
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.references < 1:
        raise UserError(f"--references {arguments.references}: a voice is known by one recording at least")
    folds, unmatched = _match(arguments)
    judges, left_out = select_metrics(folds, resynthesis=arguments.resynthesis, transcripts=arguments.wer)
    found = measure(folds, judges)
    voices = len(folds[0].speaker_references)
    figures = summarize_conversions(
        found.converted, found.unchanged, found.own, num_speakers=voices, mismatched_distances=found.strangers
    )
    figures += [figure for judge in judges for figure in judge.compute()]
    print(conversion_table(found.jobs, found.converted), summary_table(figures, len(found.jobs)), sep="\n\n")
    print("\n".join(left_out), end="\n" * bool(left_out))
    if arguments.json:
        _result(found, figures, voices=voices, unmatched=unmatched).save(arguments.json)


def _match(arguments: argparse.Namespace) -> tuple[list[EvaluationFold], Mapping[str, list[str]]]:
    """What is to be measured, and the names of what has no partner; these are told on stderr.

    Raises:
        UserError: the flags do not fit together, or see match_manifest and match_sounds.
    """
    folders = (arguments.source, arguments.target)
    if arguments.manifest and not any(folders):
        utterances = read_manifest(arguments.manifest)
        return [match_manifest(arguments.converted, utterances, arguments.references)], {}
    if arguments.manifest or not all(folders):
        raise UserError("whose conversions are these? give --manifest, or both --source DIR and --target DIR")
    folds, unmatched = match_folders(
        arguments.source, arguments.converted, arguments.target, arguments.references
    )
    print("".join(f"{line}\n" for line in unmatched.describe()), end="", file=sys.stderr)
    return folds, unmatched._asdict()


def _result(
    found: Measured,
    figures: Sequence[MetricSummary],
    *,
    voices: int,
    unmatched: Mapping[str, list[str]],
) -> ConversionResult:
    return ConversionResult(
        voices=voices,
        conversions=[
            ConvertedUtterance(job.source.utt, job.source.speaker, job.target, each)
            for job, each in zip(found.jobs, found.converted)
        ],
        summary={figure.name: figure for figure in figures},
        unmatched=dict(unmatched),
    )
