"""What the page says of the units: figures with intervals, and beside them what other units score."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from speechvq.cli.tables import decimal, interval, percent
from speechvq.evaluate.baselines.table import COLUMNS, cell
from speechvq.metrics.units.baselines import SeedStatistics, mean_over_seeds
from speechvq.report.results import Abx, BaselineFigures, Figures, UnitFigures

NAMES = {"all": "All frames", "edges_trimmed": "Silence at the edges trimmed"}
UNSEEN = "Speakers never heard in training"
THIS_RUN = "this run"

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
    fraction: float  # in [0, 1]
    text: str  # the number as text
    is_run: bool


@dataclass(frozen=True)
class ProtocolTables:
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


def protocol_tables(
    purity: Mapping[str, UnitFigures], baselines: BaselineFigures | None, *, unseen: bool = False
) -> list[ProtocolTables]:
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
    guess = percent(figures.get("majority_prior"), 1).replace(" ", "\N{NO-BREAK SPACE}")
    label = "codes that name their phone" + ", speakers never heard" * unseen
    return {label + (f" (one guess: {guess})" if guess != "-" else ""): percent(figures["phone_purity"], 1)}


def abx_table(abx: Abx) -> AbxTable:
    """The run's codes first, then what they are held against."""
    where = "in equal contexts" if abx.context == "within" else "in any context"
    rows = [
        (each.name or THIS_RUN, [each.distance, *_error(each.within), *_error(each.across)])
        for each in abx.units
    ]
    return AbxTable(f"ABX error of {abx.items}s {where}", rows)


def _error(error: tuple[float, float, float]) -> tuple[str, str]:
    """An error and its interval as text."""
    value, low, high = error
    return (percent(value, 1), interval((low, high), as_percent=True)) if math.isfinite(value) else ("-", "-")


def _protocol(
    title: str, ours: UnitFigures | None, others: Mapping[str, Sequence[Figures]]
) -> ProtocolTables:
    first = ours.figures if ours else next(iter(others.values()))[0]
    counts = f"{title}: {first['frames']:,} codes, {first['num_phones']} phones"
    # `evaluate baselines --codes` scores the run's codes too, under the name of their folder.
    units = {name: seeds for name, seeds in others.items() if not (ours and _same(ours.figures, seeds[0]))}
    if ours and units:
        units = {THIS_RUN: [ours.figures], **units}
    spreads = {name: mean_over_seeds(seeds) for name, seeds in units.items()}
    bars = [_bar(name, spread["phone_purity"]) for name, spread in spreads.items()]
    kept = sorted((bar for bar in bars if math.isfinite(bar.fraction)), key=lambda bar: -bar.fraction)
    table = [(name, _cells(spread)) for name, spread in spreads.items()]
    return ProtocolTables(counts, _rows(ours) if ours else [], list(COLUMNS), table, kept)


def _same(ours: Figures, others: Figures) -> bool:
    """Whether two scores are of the same codes."""
    return all(ours.get(key) == others.get(key) for key in ("frames", "phone_purity", "pnmi", "perplexity"))


def _cells(spread: Mapping[str, SeedStatistics]) -> list[str]:
    """The figures of COLUMNS, shares with a decimal less than the command prints: the intervals are wider."""
    return [
        cell(spread[key], scale, digits - (scale == 100)) if key in spread else "-"
        for key, scale, digits in COLUMNS.values()
    ]


def _rows(ours: UnitFigures) -> list[tuple[str, list[str]]]:
    rows = []
    for label, (key, share, shuffled, guess) in _ROWS.items():
        show = (lambda value: percent(value, 1)) if share else decimal
        cells = [
            show(ours.figures.get(key)),
            interval(ours.intervals.get(key), as_percent=share),
            show(ours.figures.get(shuffled)),
            show(ours.figures.get(guess)),
        ]
        rows.append((label, cells))
    return rows


def _bar(name: str, purity: SeedStatistics) -> Bar:
    return Bar(name, purity.mean, f"{cell(purity, 100, 1)} %", name == THIS_RUN)
