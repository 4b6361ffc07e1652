"""`python -m speechvq.evaluate codebook`: codebook usage, code durations and bit rate."""

import argparse
from collections.abc import Sequence

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import MetricRow, decimal, in_percent, interval, metric_table
from speechvq.data.codes_directory import open_codes
from speechvq.errors import UserError
from speechvq.metrics.units.codebook import score_codebook
from speechvq.results.units import CodebookMetrics, CodebookResult
from speechvq.runtime.progress import progress


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate codebook", __doc__)
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
    result = CodebookResult(
        CodebookMetrics.from_json(score.metrics),
        score.intervals,
        score.counts.tolist(),
        score.run_lengths.tolist(),
    )
    print(codebook_table(str(codes.path), codes.frame_rate_hz, result))
    codes.warn_if_deduplicated()
    if arguments.json:
        result.save(arguments.json)


def codebook_table(name: str, frame_rate: float, result: CodebookResult) -> str:
    """Codebook usage as text, beside the values for uniform use and for codes in random order.

    Args:
        name: of the codes.
        frame_rate: codes per second.
        result: what is shown.
    """
    metrics = result.metrics
    uniform = f"{decimal(metrics.bitrate_max)} uniform"

    def row(label: str, key: str, baseline: str = "", *, as_percent: bool = False) -> MetricRow:
        value = getattr(metrics, key)
        text = in_percent(value) if as_percent else decimal(value)
        return MetricRow(label, text, interval(result.intervals.get(key), as_percent=as_percent), (baseline,))

    rows = [
        row("active codes", "active_codes", f"{metrics.num_codes} at most"),
        row(
            "most frequent code (% of frames)",
            "most_frequent_code_fraction",
            f"{in_percent(1 / metrics.num_codes)} uniform",
            as_percent=True,
        ),
        row("perplexity", "perplexity", f"{metrics.num_codes} uniform"),
        row("bit rate (bit/s)", "bitrate_entropy", uniform),
        row(
            "mean code duration (ms)",
            "mean_code_duration_ms",
            f"{decimal(metrics.shuffled_mean_code_duration_ms)} shuffled",
        ),
        row("median code duration (ms)", "median_code_duration_ms"),
        row("longest code duration (ms)", "longest_code_duration_ms"),
        row(
            "deduplicated code rate (Hz)",
            "deduplicated_rate_hz",
            f"{decimal(metrics.shuffled_deduplicated_rate_hz)} shuffled",
        ),
        row("deduplicated bit rate (bit/s)", "deduplicated_bitrate"),
    ]
    notes = (
        "uniform: all codes equally frequent; shuffled: the same codes in random order",
        "deduplicated: a run of equal codes counts once; 95 % CI: bootstrap over utterances",
    )
    counts = f"{metrics.utterances} utterances, {metrics.frames} codes, {frame_rate:g} per second"
    return "\n".join([metric_table(f"{name}: {counts}", ("baseline",), rows), "", *notes])
