"""Figures of units as text: each with its interval and what to compare it with."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from speechvq.evaluate.tables import align
from speechvq.metrics.units import contingency
from speechvq.metrics.units.codebook import CodebookScore
from speechvq.metrics.units.purity import Score
from speechvq.metrics.units.speakers import SpeakerScore

PURITY_NOTES = (
    "phone purity: frames that are right when each code stands for its likeliest phone (the paper's mapping",
    "  accuracy: 49.3 %, one guess 7.2 %); other speakers' map: learnt on half of them, tried on the others",
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


def codebook_table(name: str, frame_rate: float, score: CodebookScore) -> str:
    """How a codebook is used, beside what random order and equal use would give."""
    figures = score.figures
    counts = f"{figures['utterances']} utterances, {figures['frames']} codes, {frame_rate:g} a second"

    def row(label: str, key: str, baseline: str, share: bool = False) -> Row:
        value = percent(figures[key]) if share else decimal(figures[key])
        return Row(label, value, interval(score.intervals.get(key), share), (baseline,))

    most, alike = decimal(figures["bitrate_max"]), 100 / (figures["num_codes"] or 1)
    rows = [
        row("codes that occur", "active_codes", f"{figures['num_codes']} at most"),
        row("most frequent code", "commonest_share", f"{alike:.1f} % alike", True),
        row("perplexity", "perplexity", f"{figures['num_codes']} alike"),
        row("bit/s", "bitrate_entropy", f"{most} alike"),
        row("a code stays, ms", "run_ms", f"{decimal(figures['shuffled_run_ms']) or '-'} shuffled"),
        row("  median", "run_ms_median", ""),
        row("  longest", "run_ms_longest", ""),
        row("codes a second, repeats left out", "collapsed_rate_hz", _shuffled_rate(figures)),
        row("bit/s, repeats left out", "collapsed_bitrate", ""),
    ]
    notes = (
        "alike: if every code were equally frequent; shuffled: the same codes in random order",
        "perplexity and codes that occur are of all utterances together; intervals: 95 %, by resampling them",
    )
    return "\n".join([figure_table(f"{name}: {counts}", ("baseline",), rows), "", *notes])


def _shuffled_rate(figures: Mapping[str, float | int | None]) -> str:
    return f"{decimal(figures['shuffled_collapsed_rate_hz'])} shuffled"


def speakers_table(name: str, score: SpeakerScore) -> str:
    """What the codes tell of the speaker, beside chance."""
    figures, bounds = score.figures, score.intervals
    counts = f"{figures['utterances']} utterances of {figures['num_speakers']} speakers"
    probe = f"speaker named by a linear probe, {figures['probe_utterances']} utterances"
    rows = [
        Row(
            "PNMI of codes and speakers",
            decimal(figures["speaker_pnmi"]),
            interval(bounds["speaker_pnmi"], False),
            (decimal(figures["shuffled_speaker_pnmi"]),),
        ),
        Row(
            probe,
            percent(figures["probe_accuracy"]),
            interval(bounds["probe_accuracy"], True),
            (percent(figures["probe_chance"]),),
        ),
    ]
    notes = (
        "PNMI: what a code tells of its speaker, of 1; by chance: the speakers dealt out anew to utterances",
        "probe: logistic regression on how often an utterance has each code, every utterance held out once;",
        "  by chance: always the most frequent speaker; intervals: 95 %; low: little of the voice is left",
    )
    return "\n".join([figure_table(f"{name}: {counts}", ("by chance",), rows), "", *notes])


def percent(share: float | None) -> str:
    """A share as "26.8 %", or "" for None."""
    return "" if share is None else f"{100 * share:.1f} %"


def decimal(value: float | None) -> str:
    """A number in three or more digits, as "0.340", "3.40", "34.0" and "3400"; "" for None."""
    if value is None:
        return ""
    if isinstance(value, int):
        return str(value)
    return f"{value:.{0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3}f}"


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
