"""What the page says of the units: figures with intervals, and beside them what other units score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechvq.evaluate.baselines.table import COLUMNS, cell
from speechvq.evaluate.unit_tables import decimal, interval, percent
from speechvq.metrics.units.baselines import Spread, spread_over_seeds
from speechvq.report.results import Abx, BaselineFigures, Figures, UnitFigures

NAMES = {"all": "All frames", "edges_trimmed": "Silence at the edges trimmed"}
UNSEEN = "Speakers never heard in training"
OURS = "this run"

_ROWS = {  # label: figure, whether it is a share, baseline by shuffling, baseline by one guess
    "phone purity": ("phone_purity", True, "shuffled_phone_purity", "majority_prior"),
    "phone purity, other speakers' map": ("phone_purity_heldout", True, "", "majority_prior"),
    "cluster purity": ("cluster_purity", True, "", ""),
    "PNMI": ("pnmi", False, "shuffled_pnmi", ""),
    "perplexity": ("perplexity", False, "", ""),
    "bit/s": ("bitrate_entropy", False, "", ""),
}


@dataclass(frozen=True)
class Bar:
    """Phone purity of some units, as a bar."""

    name: str
    share: float  # in [0, 1]
    said: str  # the number as text
    ours: bool


@dataclass(frozen=True)
class Protocol:
    """One way of counting: a table of our figures, one of all units, ours among them, and bars."""

    title: str
    rows: list[tuple[str, list[str]]]  # measured, interval, shuffled, one guess
    columns: list[str]
    units: list[tuple[str, list[str]]]  # empty where there are no others
    bars: list[Bar]


@dataclass(frozen=True)
class AbxTable:
    """ABX errors of the run's codes and of what they are held against."""

    title: str
    rows: list[tuple[str, list[str]]]  # compared by, within, its interval, across, its interval


def protocols(
    purity: Mapping[str, UnitFigures], baselines: BaselineFigures | None, *, unseen: bool = False
) -> list[Protocol]:
    """Both ways of counting; either kind of numbers may be missing.

    Args:
        purity: of the run's codes, by protocol.
        baselines: of the same frames.
        unseen: whether the speakers were kept out of training.
    """
    given = baselines.protocols if baselines else {}
    return [
        _protocol(f"{UNSEEN}, {title.lower()}" if unseen else title, purity.get(name), given.get(name, {}))
        for name, title in NAMES.items()
        if name in purity or name in given
    ]


def purity_fact(purity: Mapping[str, UnitFigures], *, unseen: bool = False) -> dict[str, str]:
    """Phone purity of all frames beside one guess, for the head of the page."""
    figures = purity["all"].figures if "all" in purity else {}
    if figures.get("phone_purity") is None:
        return {}
    guess = percent(figures.get("majority_prior")).replace(" ", "\N{NO-BREAK SPACE}")
    label = "codes that name their phone" + ", speakers never heard" * unseen
    return {label + (f" (one guess: {guess})" if guess else ""): percent(figures["phone_purity"])}


def abx_table(abx: Abx) -> AbxTable:
    """The run's codes first, then what they are held against."""
    where = "in equal contexts" if abx.context == "within" else "in any context"
    rows = [
        (each.name or OURS, [each.distance, *_error(each.within), *_error(each.across)]) for each in abx.units
    ]
    return AbxTable(f"ABX error of {abx.items}s {where}", rows)


def _error(error: tuple[float, float, float]) -> tuple[str, str]:
    """An error and its interval as text."""
    value, low, high = error
    return (percent(value), interval((low, high), True)) if math.isfinite(value) else ("-", "-")


def _protocol(title: str, ours: UnitFigures | None, others: Mapping[str, Sequence[Figures]]) -> Protocol:
    first = ours.figures if ours else next(iter(others.values()))[0]
    counts = f"{title}: {first['frames']:,} codes, {first['num_phones']} phones"
    # `evaluate baselines --codes` scores the run's codes too, under the name of their folder.
    units = {name: seeds for name, seeds in others.items() if not (ours and _same(ours.figures, seeds[0]))}
    if ours and units:
        units = {OURS: [ours.figures], **units}
    spreads = {name: spread_over_seeds(seeds) for name, seeds in units.items()}
    bars = [_bar(name, spread["phone_purity"]) for name, spread in spreads.items()]
    kept = sorted((bar for bar in bars if math.isfinite(bar.share)), key=lambda bar: -bar.share)
    table = [(name, _cells(spread)) for name, spread in spreads.items()]
    return Protocol(counts, _rows(ours) if ours else [], list(COLUMNS), table, kept)


def _same(ours: Figures, others: Figures) -> bool:
    """Whether two scores are of the same codes."""
    return all(ours.get(key) == others.get(key) for key in ("frames", "phone_purity", "pnmi", "perplexity"))


def _cells(spread: Mapping[str, Spread]) -> list[str]:
    """The figures of COLUMNS, shares with a decimal less than the command prints: the intervals are wider."""
    return [
        cell(spread[key], scale, digits - (scale == 100)) if key in spread else "-"
        for key, scale, digits in COLUMNS.values()
    ]


def _rows(ours: UnitFigures) -> list[tuple[str, list[str]]]:
    rows = []
    for label, (key, share, shuffled, guess) in _ROWS.items():
        show = percent if share else decimal
        cells = [
            show(ours.figures.get(key)),
            interval(ours.intervals.get(key), share),
            show(ours.figures.get(shuffled)),
            show(ours.figures.get(guess)),
        ]
        rows.append((label, [text or "-" for text in cells]))
    return rows


def _bar(name: str, purity: Spread) -> Bar:
    return Bar(name, purity.mean, f"{cell(purity, 100, 1)} %", name == OURS)
