"""`python -m speechvq.evaluate speakers`: how much speaker information do the codes contain?"""

import argparse
from collections.abc import Sequence

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import MetricRow, decimal, in_percent, interval, metric_table
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest, utterance_names
from speechvq.errors import UserError
from speechvq.io.utterance_files import match_names
from speechvq.metrics.units.speakers import score_speakers
from speechvq.results.units import SpeakerMetrics, SpeakersResult
from speechvq.runtime.progress import progress


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate speakers", __doc__)
    flags.add_codes(parser)
    flags.add_manifest(parser, "the speakers", required=True)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes = open_codes(arguments.codes)
    manifest = {u.utt: u for u in read_manifest(arguments.manifest)}
    listed = match_names(codes.names, utterance_names(manifest.values()))
    speakers = {name: manifest[utt].speaker for name, utt in listed.items()}
    names = sorted(speakers)
    not_in_manifest = sorted(set(codes.files) - set(names))
    if not names:
        raise UserError(
            f"{arguments.manifest}: lists no utterance of {codes.path}; give the manifest of its corpus"
        )
    utterances = progress(names, total=len(names), label="count", unit="utterances")
    try:
        score = score_speakers(((codes.read(name), speakers[name]) for name in utterances), codes.num_codes)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{codes.path}: {error}") from error
    result = SpeakersResult(SpeakerMetrics.from_json(score.metrics), score.intervals, not_in_manifest)
    print(speakers_table(str(codes.path), result))
    codes.warn_if_deduplicated()
    if not_in_manifest:
        print(f"left out: {len(not_in_manifest)} utterances not in the manifest, e.g. {not_in_manifest[0]}")
    if arguments.json:
        result.save(arguments.json)


def speakers_table(name: str, result: SpeakersResult) -> str:
    """Speaker information in the codes as text, beside chance; `name` is that of the codes."""
    metrics, bounds = result.metrics, result.intervals
    rows = [
        MetricRow(
            "PNMI of codes and speakers (0 to 1) ↓",
            decimal(metrics.speaker_pnmi),
            interval(bounds["speaker_pnmi"]),
            (decimal(metrics.shuffled_speaker_pnmi),),
        ),
        MetricRow(
            f"linear probe accuracy on {metrics.probe_utterances} utterances (%) ↓",
            in_percent(metrics.probe_accuracy),
            interval(bounds["probe_accuracy"], as_percent=True),
            (in_percent(metrics.probe_chance),),
        ),
    ]
    notes = (
        "PNMI: mutual information of code and speaker over the entropy of the speaker;",
        "  chance: speakers shuffled over the utterances",
        "probe: logistic regression on code histograms, cross-validated over utterances;",
        "  chance: the most frequent speaker; 95 % CI: bootstrap over utterances (PNMI), Wilson (probe)",
    )
    counts = f"{metrics.utterances} utterances of {metrics.num_speakers} speakers"
    return "\n".join([metric_table(f"{name}: {counts}", ("chance",), rows), "", *notes])
