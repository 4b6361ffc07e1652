"""`python -m speechvq.evaluate speakers`: how much of a voice is left in the codes?"""

import argparse
import json
from collections.abc import Sequence

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import MetricRow, decimal, interval, metric_table, percent
from speechvq.data.codes_directory import open_codes
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units.speakers import SpeakerScore, score_speakers
from speechvq.runtime.progress import progress


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate speakers", description=__doc__)
    flags.add_codes(parser)
    flags.add_manifest(parser, "the speakers", required=True)
    flags.add_json(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    codes = open_codes(arguments.codes)
    speakers = {u.utt: u.speaker for u in read_manifest(arguments.manifest)}
    names = sorted(set(codes.files) & set(speakers))
    strangers = sorted(set(codes.files) - set(speakers))
    if not names:
        raise UserError(
            f"{arguments.manifest}: lists no utterance of {codes.path}; give the one of its corpus"
        )
    found = progress(names, total=len(names), label="count", unit="utterances")
    try:
        score = score_speakers(((codes.read(name), speakers[name]) for name in found), codes.num_codes)
    except UserError:
        raise
    except ValueError as error:
        raise UserError(f"{codes.path}: {error}") from error
    print(speakers_table(str(codes.path), score))
    if strangers:
        print(f"left out: {len(strangers)} utterances not in the manifest, for example {strangers[0]}")
    if arguments.json:
        content = {**score.metrics, "intervals": score.intervals, "not_in_manifest": strangers}
        write_bytes(arguments.json, json.dumps(content, indent=1, allow_nan=False).encode())


def speakers_table(name: str, score: SpeakerScore) -> str:
    """What the codes tell of the speaker, beside chance."""
    figures, bounds = score.metrics, score.intervals
    counts = f"{figures['utterances']} utterances of {figures['num_speakers']} speakers"
    probe = f"speaker named by a linear probe, {figures['probe_utterances']} utterances"
    rows = [
        MetricRow(
            "PNMI of codes and speakers",
            decimal(figures["speaker_pnmi"]),
            interval(bounds["speaker_pnmi"]),
            (decimal(figures["shuffled_speaker_pnmi"]),),
        ),
        MetricRow(
            probe,
            _percent(figures["probe_accuracy"]),
            interval(bounds["probe_accuracy"], as_percent=True),
            (_percent(figures["probe_chance"]),),
        ),
    ]
    notes = (
        "PNMI: what a code tells of its speaker, of 1; by chance: the speakers dealt out anew to utterances",
        "probe: logistic regression on how often an utterance has each code, every utterance held out once;",
        "  by chance: always the most frequent speaker; intervals: 95 %; low: little of the voice is left",
    )
    return "\n".join([metric_table(f"{name}: {counts}", ("by chance",), rows), "", *notes])


def _percent(fraction: float | None) -> str:
    return percent(fraction, 1)
