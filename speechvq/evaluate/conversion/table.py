"""Tables of `evaluate conversion`: one row per conversion, and the summary with its baselines."""

import math
from collections.abc import Sequence

from speechvq.cli.tables import align, number
from speechvq.data.conversions import ConversionPair
from speechvq.metrics.conversion import ConversionMetrics
from speechvq.metrics.summary import MetricSummary

_HEADER = (
    "sentence",
    "source",
    "target",
    "source F0 (Hz)",
    "converted F0 (Hz)",
    "target F0 (Hz)",
    "voiced (%)",
    "source voiced (%)",
    "classified as",
    "log-mel distance (dB)",
)
_SUMMARY_HEADER = ("", "mean", "95 % CI", "n", "chance", "unconverted source", "target recordings")
_NOTES = (
    "arrows: the better direction",
    "chance: random speakers or sentences; white noise for voiced frames, harmonics and quality",
    "unconverted source: the sources in place of the conversions",
    "target recordings: other sentences by the target speakers in place of the conversions",
)


def conversion_table(pairs: Sequence[ConversionPair], metrics: Sequence[ConversionMetrics]) -> str:
    """One row per conversion: F0, voicing, the classified speaker, and the log-mel distance."""
    rows = [
        [
            pair.source.utt,
            pair.source.speaker,
            pair.target,
            number(m.source_f0_hz, 0),
            number(m.converted_f0_hz, 0),
            number(m.target_speaker_f0_hz, 0),
            number(100 * m.converted_voiced_fraction, 0),
            number(100 * m.source_voiced_fraction, 0),
            m.classified_as,
            number(m.log_mel_distance_db, 1),
        ]
        for pair, m in zip(pairs, metrics)
    ]
    return align([_HEADER, *rows], left=3)


def summary_table(summaries: Sequence[MetricSummary], count: int) -> str:
    """One row per metric: mean, 95 % interval, and the three baselines.

    Args:
        summaries: the metrics.
        count: number of conversions.
    """
    rows = [[summary.label, *summary_cells(summary)] for summary in summaries]
    title = f"mean of {count} conversion{'s' * (count != 1)}"
    return "\n".join([title, align([_SUMMARY_HEADER, *rows], left=1), *_NOTES])


def summary_cells(summary: MetricSummary) -> list[str]:
    """Six cells of a summary row: mean, interval, count and the three baselines."""
    scale, digits = {"%": (100, 0), "cosine": (1, 2), "1-5": (1, 2)}.get(summary.unit, (1, 1))
    mean, low, high, *baselines = (
        number(scale * value, digits)
        for value in (
            summary.mean,
            summary.low,
            summary.high,
            summary.chance,
            summary.source_baseline,
            summary.target_reference,
        )
    )
    interval = f"{low} to {high}" if math.isfinite(summary.mean) else "-"
    return [mean, interval, str(summary.num_values), *baselines]
