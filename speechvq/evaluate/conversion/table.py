"""Numbers as text: a row a conversion, and the summary with what to compare it with."""

import math
from collections.abc import Sequence

from speechvq.cli.tables import align, number, percent
from speechvq.data.conversions import ConversionPair
from speechvq.metrics.conversion import ConversionMetrics
from speechvq.metrics.summary import MetricSummary


def conversion_table(jobs: Sequence[ConversionPair], measured: Sequence[ConversionMetrics]) -> str:
    """A row a conversion: medians of pitch, voicing, and whose voice it is."""
    header = [
        "sentence",
        "from",
        "to",
        "Hz source",
        "Hz converted",
        "Hz target",
        "voiced",
        "was",
        "heard as",
        "mel dB",
    ]
    rows = [
        [
            job.source.utt,
            job.source.speaker,
            job.target,
            number(c.source_f0_hz, 0),
            number(c.converted_f0_hz, 0),
            number(c.target_speaker_f0_hz, 0),
            percent(c.converted_voiced_fraction),
            percent(c.source_voiced_fraction),
            c.classified_as,
            number(c.log_mel_distance_db, 1),
        ]
        for job, c in zip(jobs, measured)
    ]
    return align([header, *rows], left=3)


def summary_table(figures: Sequence[MetricSummary], count: int) -> str:
    """A row a figure: what was measured, its interval of 95 %, and the three baselines."""
    header = [
        "",
        "measured",
        "95 % interval",
        "n",
        "chance",
        "sources as they are",
        "targets' own recordings",
    ]
    rows = [[figure.label, *summary_cells(figure)] for figure in figures]
    title = f"mean of {count} conversion{'s' * (count != 1)}"
    notes = (
        "chance: voices or sentences drawn at random, white noise for voicing and harmonics",
        "sources as they are: the recordings, unconverted; targets' own: other sentences by the targets",
    )
    return "\n".join([title, align([header, *rows], left=1), *notes])


def summary_cells(figure: MetricSummary) -> list[str]:
    """Six cells of a summary's row: mean, interval, count and the three baselines."""
    digits = 2 if figure.unit in ("cosine", "of 5") else 1
    show = percent if figure.unit == "%" else (lambda value: number(value, digits))
    known = math.isfinite(figure.mean)
    unit = f" {figure.unit}" if known and figure.unit != "%" else ""
    interval = f"{show(figure.low)} to {show(figure.high)}" if known else "-"
    baselines = [show(figure.chance), show(figure.source_baseline), show(figure.target_reference)]
    return [f"{show(figure.mean)}{unit}", interval, str(figure.count), *baselines]
