"""`python -m speechvq.evaluate codebook`: which codes are used, for how long, and what they cost."""

import argparse
import json
from collections.abc import Mapping, Sequence

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.tables import MetricRow, decimal, interval, metric_table, percent
from speechvq.data.codes_directory import open_codes
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.metrics.units.codebook import CodebookScore, score_codebook
from speechvq.runtime.progress import progress


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate codebook", description=__doc__)
    flags.add_codes(parser)
    flags.add_json(parser)
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
            **score.metrics,
            "intervals": score.intervals,
            "counts": score.counts.tolist(),
            "run_lengths": score.run_lengths.tolist(),
        }
        write_bytes(arguments.json, json.dumps(content, indent=1, allow_nan=False).encode())


def codebook_table(name: str, frame_rate: float, score: CodebookScore) -> str:
    """How a codebook is used, beside what random order and equal use would give."""
    figures = score.metrics
    counts = f"{figures['utterances']} utterances, {figures['frames']} codes, {frame_rate:g} a second"

    def row(label: str, key: str, baseline: str, share: bool = False) -> MetricRow:
        value = _percent(figures[key]) if share else decimal(figures[key])
        return MetricRow(label, value, interval(score.intervals.get(key), as_percent=share), (baseline,))

    most, alike = decimal(figures["bitrate_max"]), 100 / (figures["num_codes"] or 1)
    rows = [
        row("codes that occur", "active_codes", f"{figures['num_codes']} at most"),
        row("most frequent code", "most_frequent_code_fraction", f"{alike:.1f} % alike", True),
        row("perplexity", "perplexity", f"{figures['num_codes']} alike"),
        row("bit/s", "bitrate_entropy", f"{most} alike"),
        row(
            "a code stays, ms",
            "mean_code_duration_ms",
            f"{decimal(figures['shuffled_mean_code_duration_ms'])} shuffled",
        ),
        row("  median", "median_code_duration_ms", ""),
        row("  longest", "longest_code_duration_ms", ""),
        row("codes a second, repeats left out", "deduplicated_rate_hz", _shuffled_rate(figures)),
        row("bit/s, repeats left out", "deduplicated_bitrate", ""),
    ]
    notes = (
        "alike: if every code were equally frequent; shuffled: the same codes in random order",
        "perplexity and codes that occur are of all utterances together; intervals: 95 %, by resampling them",
    )
    return "\n".join([metric_table(f"{name}: {counts}", ("baseline",), rows), "", *notes])


def _shuffled_rate(figures: Mapping[str, float | int | None]) -> str:
    return f"{decimal(figures['shuffled_deduplicated_rate_hz'])} shuffled"


def _percent(fraction: float | None) -> str:
    return percent(fraction, 1)
