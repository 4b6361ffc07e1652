"""Figures of units as text: each with its interval and what to compare it with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from speechvq.evaluate.tables import align
from speechvq.evaluation import contingency
from speechvq.evaluation.purity import Score

PURITY_NOTES = (
    "phone purity: frames that are right when each code stands for its likeliest phone (the paper's mapping",
    "  accuracy: 49.3 %, one guess 7.2 %); other speakers' map: learnt on half of the speakers, tried on the rest",
    "cluster purity: the same with codes and phones exchanged; PNMI: what a code tells of its phone, of 1",
    "shuffled: the same codes in random order over the frames; one guess: the most frequent phone everywhere",
    "intervals: 95 %, by resampling the utterances",
)
_NAMES = {"all": "All frames", "edges_trimmed": "Silence at the edges trimmed"}


class Row(NamedTuple):
    """A figure with its interval and baselines, each as text; "" where there is none."""

    label: str
    value: str
    interval: str
    baselines: tuple[str, ...]


def figure_table(title: str, baselines: Sequence[str], rows: Sequence[Row]) -> str:
    """A row a figure under a title; columns are value, interval and baselines."""
    header = ["", "measured", "95 % interval", *baselines]
    cells = [[row.label, row.value, row.interval, *row.baselines] for row in rows]
    return f"{title}\n{align([header, *[[cell or '-' for cell in row] for row in cells]], left=1)}"


def purity_table(scores: Mapping[str, Score]) -> str:
    """Both protocols, and what the words mean."""
    parts = [_protocol(_NAMES[protocol], score) for protocol, score in scores.items()]
    return "\n\n".join([*parts, "\n".join(PURITY_NOTES)])


def percent(share: float | None) -> str:
    """A share as "26.8 %", or "" for None."""
    return "" if share is None else f"{100 * share:.1f} %"


def decimal(value: float | None) -> str:
    """A number as "0.340", as "67.6" from 10 on, as "608" from 100 on, or "" for None."""
    if value is None:
        return ""
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 3}f}"


def interval(bounds: tuple[float, float] | None, percentage: bool) -> str:
    """Bounds as "24.4 to 30.0 %" or "0.314 to 0.372", or "" for None."""
    if bounds is None:
        return ""
    low, high = bounds
    return f"{100 * low:.1f} to {100 * high:.1f} %" if percentage else f"{decimal(low)} to {decimal(high)}"


def _protocol(name: str, score: Score) -> str:
    figures = score.figures
    every = (figures["frames"] or 0) + (figures["dropped_frames"] or 0)
    title = f"{name}: {figures['frames']} of {every} codes, {figures['num_phones']} phones"
    if not figures["frames"]:
        return f"{title}; nothing to score"
    guess, mixed = percent(figures["majority_prior"]), contingency.shuffled(score.table)
    by_chance = (percent(figures["shuffled_phone_purity"]), guess)
    lowest = percent(float(contingency.cluster_purity(mixed)))
    commonest = percent(float(contingency.majority_prior(score.table.T)))
    active = f"{figures['active_codes']} codes occur"

    def row(label: str, key: str, baselines: tuple[str, str], share: bool = True) -> Row:
        value = percent(figures[key]) if share else decimal(figures[key])
        return Row(label, value, interval(score.intervals[key], share), baselines)

    rows = [
        row("phone purity", "phone_purity", by_chance),
        row("phone purity, other speakers' map", "phone_purity_heldout", ("", guess)),
        row("cluster purity", "cluster_purity", (lowest, commonest)),
        row("PNMI", "pnmi", (decimal(figures["shuffled_pnmi"]), decimal(0.0)), share=False),
        row(f"perplexity ({active})", "perplexity", ("", ""), share=False),
        row(f"bit/s (at most {decimal(figures['bitrate_max'])})", "bitrate_entropy", ("", ""), share=False),
    ]
    return figure_table(title, ("shuffled", "one guess"), rows)
