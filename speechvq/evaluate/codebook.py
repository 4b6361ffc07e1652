"""`python -m speechvq.evaluate codebook`: codebook usage, code durations and bit rate."""

import argparse
from collections.abc import Callable, Sequence

from speechvq.cli import flags
from speechvq.cli.command import run
from speechvq.cli.parser import CommandParser
from speechvq.cli.tables import MetricRow, decimal, in_percent, interval, metric_table
from speechvq.data.codes_directory import CodesListing, CodesPlace, describe_codes
from speechvq.data.repeated_codes import Neighbors, count_neighbors
from speechvq.errors import UserError
from speechvq.metrics.units.codebook import CodebookCounter, CodeCounts, count_codes
from speechvq.results.units import CodebookMetrics, CodebookResult
from speechvq.runtime.engine import Work
from speechvq.runtime.engine_choice import open_engine
from speechvq.runtime.progress import progress


def build_parser() -> CommandParser:
    """The command's flags."""
    parser = CommandParser("evaluate codebook", __doc__)
    flags.add_codes(parser)
    flags.add_json(parser)
    flags.add_engine(parser)
    flags.add_jobs(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    with open_engine(arguments.engine, arguments.address, arguments.jobs) as engine:
        listing = CodesListing(arguments.codes)
        files = list(listing) if engine.is_local else listing  # a short list, so the time left is known
        codes, total = describe_codes(arguments.codes), len(files) if isinstance(files, list) else None
        counter = CodebookCounter(codes.num_codes)
        results = engine.map(CountWork(codes.num_codes), files)
        for counts, neighbors in progress(results, total=total, label="count", unit="utterances"):
            counter.add(counts)
            codes.add_neighbors(neighbors)
    try:
        score = counter.score(codes.frame_rate_hz)
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


class CountWork(Work[CodesPlace, tuple[CodeCounts, Neighbors]]):
    """Counts the codes of an utterance."""

    batch_size = 1024

    def __init__(self, num_codes: int) -> None:
        """
        Args:
            num_codes: K.
        """
        self._num_codes = num_codes

    def start(self) -> Callable[[CodesPlace], tuple[CodeCounts, Neighbors]]:
        """Nothing to prepare."""
        return self._count

    def lost(self, item: CodesPlace, reason: str) -> tuple[CodeCounts, Neighbors]:
        """A score without some utterances is none."""
        raise UserError(f"{item}: {reason}")

    def _count(self, place: CodesPlace) -> tuple[CodeCounts, Neighbors]:
        codes = place.read(self._num_codes)
        return count_codes(codes, self._num_codes), count_neighbors(codes)


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
