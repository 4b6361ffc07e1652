"""`python -m speechvq.evaluate conversion`: speaker similarity and intelligibility of voice conversions.

The conversions are those of a corpus (--manifest), or three folders of recordings matched by name (--source,
--converted, --target).
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.data.conversion_folders import match_folders
from speechvq.data.conversions import EvaluationFold, match_manifest
from speechvq.data.manifest import read_manifest, texts_beside
from speechvq.errors import UserError
from speechvq.evaluate.conversion.measure import MeasuredConversions, measure
from speechvq.evaluate.conversion.table import conversion_table, summary_table
from speechvq.judges.selection import WordSettings, select_metrics
from speechvq.metrics.summary import MetricSummary, summarize_conversions
from speechvq.results.conversion import ConversionResult, ConvertedUtterance
from speechvq.runtime.logging import logger


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate conversion", __doc__)
    parser.add_argument(
        "--converted",
        type=Path,
        required=True,
        help="conversions: DIR/TARGET/UTT.wav, as `convert` writes them; DIR/UTT.wav for a single target",
    )
    flags.add_manifest(parser, "the sources, for example data/mini")
    parser.add_argument(
        "--source", type=Path, help="sources without a manifest: DIR/UTT.wav or DIR/SPEAKER/UTT.wav"
    )
    parser.add_argument(
        "--target",
        type=Path,
        help="recordings of the target without a manifest: DIR/*.wav, or DIR/SPEAKER/*.wav for several",
    )
    flags.add_number(
        parser,
        "--references",
        int,
        1,
        10_000,
        default=10,
        metavar="N",
        help="at most N recordings per speaker are compared with the conversions; in evaluate stages, "
        "--references is a manifest",
    )
    parser.add_argument(
        "--resynthesis",
        type=Path,
        help="sources resynthesized by their own speakers: DIR/UTT.wav or DIR/SPEAKER/UTT.wav",
    )
    parser.add_argument(
        "--wer",
        type=Path,
        metavar="TEXTS",
        help="measure the word error rate against UTT.txt in this folder (default with --whisper: txt/ "
        "beside the manifest); without --whisper by wav2vec 2.0, a download of 360 MB",
    )
    flags.add_whisper(parser)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    folds, unmatched = _match(arguments)
    selected = select_metrics(folds, resynthesis=arguments.resynthesis, words=_word_settings(arguments))
    measured = measure(folds, selected.metrics)
    num_speakers = len(folds[0].speaker_references)
    summaries = [summary for metric in selected.metrics for summary in metric.compute()]
    summaries += summarize_conversions(
        measured.metrics, num_speakers=num_speakers, mismatched_distances=measured.mismatched_distances
    )
    print(conversion_table(measured.pairs, measured.metrics["values"]), end="\n\n")
    print(summary_table(summaries, len(measured.pairs)))
    for line in [*selected.judges, *selected.left_out]:
        print(line)
    if arguments.json:
        result = _result(measured, summaries, selected.judges, num_speakers=num_speakers, unmatched=unmatched)
        result.save(arguments.json)


def _word_settings(arguments: argparse.Namespace) -> WordSettings | None:
    """Of the word error rate; None if it is not wanted.

    Raises:
        UserError: --whisper without texts.
    """
    if not arguments.wer and not arguments.whisper:
        return None
    folder = arguments.wer or (texts_beside(arguments.manifest) if arguments.manifest else None)
    if folder is None:
        raise UserError("--whisper needs the texts of the sources; give --wer DIR with UTT.txt of each")
    return WordSettings(folder, arguments.whisper, arguments.language)


def _match(arguments: argparse.Namespace) -> tuple[list[EvaluationFold], Mapping[str, list[str]]]:
    """The conversions to measure, and the names of recordings without a partner, which are also logged.

    Raises:
        UserError: the flags conflict; see also `match_manifest` and `match_folders`.
    """
    folders = (arguments.source, arguments.target)
    if arguments.manifest and not any(folders):
        utterances = read_manifest(arguments.manifest)
        return [match_manifest(arguments.converted, utterances, arguments.references)], {}
    if arguments.manifest or not all(folders):
        raise UserError(
            "unknown sources of the conversions; give --manifest, or both --source DIR and --target DIR"
        )
    folds, unmatched = match_folders(
        arguments.source, arguments.converted, arguments.target, arguments.references
    )
    for line in unmatched.describe():
        logger.warning("%s", line)
    return folds, unmatched._asdict()


def _result(
    measured: MeasuredConversions,
    summaries: Sequence[MetricSummary],
    judges: Sequence[str],
    *,
    num_speakers: int,
    unmatched: Mapping[str, list[str]],
) -> ConversionResult:
    """The result that `report` reads."""
    return ConversionResult(
        num_speakers=num_speakers,
        conversions=[
            ConvertedUtterance(pair.source.utt, pair.source.speaker, pair.target, metrics)
            for pair, metrics in zip(measured.pairs, measured.metrics["values"])
        ],
        summary={summary.name: summary for summary in summaries},
        unmatched=dict(unmatched),
        judges=list(judges),
    )
