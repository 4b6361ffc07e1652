"""The report's tables about units: metrics with confidence intervals, baselines, and ABX errors."""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from speechvq.cli.tables import decimal, in_percent, interval, percent
from speechvq.evaluate.abx import abx_title
from speechvq.evaluate.baselines.table import COLUMNS, cell, spread
from speechvq.metrics.units.abx import AbxScore
from speechvq.metrics.units.baselines import SeedStatistics
from speechvq.results.abx import AbxResult
from speechvq.results.units import PROTOCOLS, BaselinesResult, PurityMetrics, PurityResult

UNSEEN = "Speakers not seen in training"
THIS_RUN = "this run"

_ROWS = {  # label: metric, whether it is a percentage, its shuffled baseline, its majority baseline
    "phone purity (%) ↑": ("phone_purity", True, "shuffled_phone_purity", "majority_prior"),
    "phone purity, held out (%) ↑": ("phone_purity_heldout", True, "", "majority_prior"),
    "cluster purity (%) ↑": ("cluster_purity", True, "", ""),
    "PNMI (0 to 1) ↑": ("pnmi", False, "shuffled_pnmi", ""),
    "perplexity": ("perplexity", False, "", ""),
    "bit rate (bit/s)": ("bitrate_entropy", False, "", ""),
}


@dataclass(frozen=True)
class Bar:
    """A bar of the chart of phone purities."""

    name: str  # of the units
    fraction: float  # in [0, 1]
    text: str  # the purity as text
    is_run: bool


@dataclass(frozen=True)
class ProtocolTables:
    """The tables of one scoring protocol: the run's metrics, all units side by side, and a bar chart."""

    title: str
    rows: list[tuple[str, list[str]]]  # value, 95 % CI, shuffled, majority
    columns: list[str]
    units: list[tuple[str, list[str]]]  # a cell per column; empty without baselines
    bars: list[Bar]


@dataclass(frozen=True)
class AbxTable:
    """ABX errors of the run's codes and of the baselines."""

    title: str
    rows: list[tuple[str, list[str]]]  # distance, within, its 95 % CI, across, its 95 % CI


def protocol_tables(
    purity: PurityResult | None, baselines: BaselinesResult | None, *, unseen: bool = False
) -> list[ProtocolTables]:
    """The tables of every protocol for which there are numbers.

    Args:
        purity: of the run's codes.
        baselines: of the same frames.
        unseen: whether the speakers were excluded from training.
    """
    return [
        _protocol(f"{UNSEEN}, {title.lower()}" if unseen else title, name, purity, baselines)
        for name, title in PROTOCOLS.items()
        if purity is not None or (baselines is not None and name in baselines.protocols)
    ]


def purity_fact(purity: PurityResult | None, *, unseen: bool = False) -> dict[str, str]:
    """Phone purity of all frames beside the majority baseline, for the head of the page."""
    if purity is None or purity.all.phone_purity is None:
        return {}
    label = "phone purity" + ", speakers not seen in training" * unseen
    if purity.all.majority_prior is not None:
        majority = percent(purity.all.majority_prior, 1).replace(" ", "\N{NO-BREAK SPACE}")
        label += f" (majority phone: {majority})"
    return {label: percent(purity.all.phone_purity, 1)}


def abx_table(abx: AbxResult) -> AbxTable:
    """The errors of the run's codes first, then those of the baselines."""
    rows = [
        (name, [units.distance, *_error(units.within), *_error(units.across)])
        for name, units in {THIS_RUN: abx.units, **abx.baselines}.items()
    ]
    return AbxTable(abx_title(abx), rows)


def _error(score: AbxScore) -> tuple[str, str]:
    """An error and its confidence interval as text."""
    return in_percent(score.error), interval((score.low, score.high), as_percent=True)


def _protocol(
    title: str, name: str, purity: PurityResult | None, baselines: BaselinesResult | None
) -> ProtocolTables:
    ours = purity.by_protocol()[name] if purity else None
    others = baselines.protocols.get(name, {}) if baselines else {}
    first = ours if ours is not None else next(iter(others.values()))[0]
    counts = f"{title}: {first.frames:,} codes, {first.num_phones} phones"
    labels_merged = purity.corpus.labels_merged if purity else baselines.labels_merged if baselines else 0
    if labels_merged:
        counts += f" after merging {labels_merged} labels of stress, word position or silence"
    # `evaluate baselines --codes` scores the run's codes too, under the name of their folder.
    units = {each: seeds for each, seeds in others.items() if ours is None or not _same(ours, seeds[0])}
    if ours is not None and units:
        units = {THIS_RUN: [ours], **units}
    spreads = {each: spread(seeds) for each, seeds in units.items()}
    bars = [_bar(each, values["phone_purity"]) for each, values in spreads.items()]
    shown = sorted((bar for bar in bars if math.isfinite(bar.fraction)), key=lambda bar: -bar.fraction)
    table = [(each, _cells(values)) for each, values in spreads.items()]
    rows = _rows(ours, purity.intervals[name]) if ours is not None and purity is not None else []
    return ProtocolTables(counts, rows, list(COLUMNS), table, shown)


def _same(ours: PurityMetrics, others: PurityMetrics) -> bool:
    """Whether two scores are of the same codes."""
    keys = ("frames", "phone_purity", "pnmi", "perplexity")
    return all(getattr(ours, key) == getattr(others, key) for key in keys)


def _cells(values: Mapping[str, SeedStatistics]) -> list[str]:
    """The metrics of COLUMNS; percentages with one decimal less than the command prints."""
    return [cell(values[key], scale, digits - (scale == 100)) for key, scale, digits in COLUMNS.values()]


def _rows(
    ours: PurityMetrics, intervals: Mapping[str, tuple[float, float] | None]
) -> list[tuple[str, list[str]]]:
    rows = []
    for label, (key, as_percent, *baselines) in _ROWS.items():
        values = [getattr(ours, name) if name else None for name in (key, *baselines)]
        value, shuffled, majority = (in_percent(v) if as_percent else decimal(v) for v in values)
        rows.append((label, [value, interval(intervals.get(key), as_percent=as_percent), shuffled, majority]))
    return rows


def _bar(name: str, purity: SeedStatistics) -> Bar:
    return Bar(name, purity.mean, f"{cell(purity, 100, 1)} %", name == THIS_RUN)
