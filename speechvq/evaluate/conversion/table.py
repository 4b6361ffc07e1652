"""Tables of `evaluate conversion`: one row per conversion, and the summary with its baselines."""

import math
from collections.abc import Sequence

from speechvq.audio.lossy_copy import LABEL
from speechvq.cli.tables import align, number
from speechvq.data.conversions import ConversionPair
from speechvq.metrics.conversion import ConversionMetrics
from speechvq.metrics.summary import MetricSummary

_HEADER = (
    "sentence",
    "source",
    "target",
    "classified as",
    "log-mel distance (dB)",
    "voiced (%)",
    "source voiced (%)",
    "source F0 (Hz)",
    "converted F0 (Hz) *",
    "target F0 (Hz)",
)
BASELINES = ("chance", "source", LABEL, "random voice", "target")
_SUMMARY_HEADER = ("", "mean", "95 % CI", "n", *BASELINES)
NOTES = (
    "arrows: the better direction",
    "95 % CI: over other sentences by the same speakers",
    "chance: random speakers or sentences; white noise for voiced frames, harmonics and quality",
    f"in place of the conversions: the source recordings; the same after a lossy codec ({LABEL}); recordings "
    "of a random other speaker; recordings of the target with other sentences",
    "* set by rule in a model conditioned on F0, such as the bundled ones: F0 is the source's, shifted to "
    "the target's mean, and the loudness is the source's; so these rows say nothing about what was learned",
)


def conversion_table(pairs: Sequence[ConversionPair], metrics: Sequence[ConversionMetrics]) -> str:
    """One row per conversion: F0, voicing, the classified speaker, and the log-mel distance."""
    rows = [
        [
            pair.source.utt,
            pair.source.speaker,
            pair.target,
            m.classified_as,
            number(m.log_mel_distance_db, 1),
            number(100 * m.converted_voiced_fraction, 0),
            number(100 * m.source_voiced_fraction, 0),
            number(m.source_f0_hz, 0),
            number(m.converted_f0_hz, 0),
            number(m.target_speaker_f0_hz, 0),
        ]
        for pair, m in zip(pairs, metrics)
    ]
    return align([_HEADER, *rows], left=4)


def summary_table(summaries: Sequence[MetricSummary], count: int) -> str:
    """One row per metric: mean, 95 % interval, and the baselines.

    Args:
        summaries: the metrics.
        count: number of conversions.
    """
    rows = [[summary_label(summary), *summary_cells(summary)] for summary in summaries]
    title = f"mean of {count} conversion{'s' * (count != 1)}"
    return "\n".join([title, align([_SUMMARY_HEADER, *rows], left=1), *NOTES])


def summary_label(summary: MetricSummary) -> str:
    """Heading of a summary row; a star marks what is set by rule."""
    return summary.label + " *" * summary.by_rule


def summary_cells(summary: MetricSummary) -> list[str]:
    """Eight cells of a summary row: mean, interval, count, and the baselines in the order of BASELINES."""
    scale, digits = {"%": (100, 0), "cosine": (1, 2), "1-5": (1, 2)}.get(summary.unit, (1, 1))
    mean, low, high, *baselines = (
        number(scale * value, digits)
        for value in (
            summary.mean,
            summary.low,
            summary.high,
            summary.chance,
            summary.source_baseline,
            summary.lossy_copy,
            summary.random_voice,
            summary.target_reference,
        )
    )
    interval = f"{low} to {high}" if math.isfinite(summary.low) else "-"
    return [mean, interval, str(summary.num_values), *baselines]
