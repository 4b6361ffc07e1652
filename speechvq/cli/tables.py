"""Text tables: numbers, percentages and intervals as text, and columns aligned for a terminal."""

import math
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

from speechvq.errors import printable

MISSING = "-"  # of a cell without a value


def number(value: float | None, digits: int) -> str:
    """A number with a fixed count of decimals and without a negative zero, or "-" for NaN and None."""
    if value is None or not math.isfinite(value):
        return MISSING
    text = f"{value:.{digits}f}"
    return text.lstrip("-") if float(text) == 0 else text


def percent(fraction: float | None, digits: int = 0) -> str:
    """A fraction as a percentage, for example "62 %"; "-" for NaN and None."""
    return MISSING if fraction is None or not math.isfinite(fraction) else f"{100 * fraction:.{digits}f} %"


def in_percent(fraction: float | None, digits: int = 1) -> str:
    """A fraction as a percentage without unit, for a column or row headed (%); "-" for NaN and None."""
    return number(None if fraction is None else 100 * fraction, digits)


def speed(times: float) -> str:
    """Speed relative to the audio, for example "12 times faster than real time"."""
    if times >= 1:
        return f"{decimal(times)} times faster than real time"
    return f"{decimal(1 / times)} times slower than real time" if times > 0 else "no audio"


def decimal(value: float | None) -> str:
    """A number with at least three significant digits, "3.40" or "3400"; "-" for NaN and None."""
    if value is None or isinstance(value, int):
        return MISSING if value is None else str(value)
    return number(value, 0 if value >= 100 else 1 if value >= 10 else 2 if value >= 1 else 3)


def interval(bounds: tuple[float, float] | None, *, as_percent: bool = False, digits: int = 1) -> str:
    """Bounds as "0.314 to 0.372", or in percent as "24.4 to 30.0"; "-" for NaN and None.

    Args:
        bounds: low and high.
        as_percent: whether the bounds are fractions to show in percent.
        digits: decimals of percentages.
    """
    if bounds is None or not all(map(math.isfinite, bounds)):
        return MISSING
    low, high = bounds
    if as_percent:
        return f"{in_percent(low, digits)} to {in_percent(high, digits)}"
    return f"{decimal(low)} to {decimal(high)}"


def align(rows: Sequence[Sequence[str]], *, left: int) -> str:
    """Rows of cells as lines of equal column widths, two spaces apart.

    Args:
        rows: cells as text, the header first; all rows have the same length. Control characters are escaped.
        left: how many of the first columns are aligned to the left; the others are aligned to the right.
    """
    shown = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(_width, column)) for column in zip(*shown)]
    lines = (
        "  ".join(_padded(cell, width, left=i < left) for i, (cell, width) in enumerate(zip(row, widths)))
        for row in shown
    )
    return "\n".join(line.rstrip() for line in lines)


def _padded(cell: str, width: int, *, left: bool) -> str:
    space = " " * (width - _width(cell))
    return cell + space if left else space + cell


def _width(cell: str) -> int:
    """Columns of a terminal that a text takes: two for a character of East Asia, none for an accent."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in cell
    )


class MetricRow(NamedTuple):
    """A metric with its confidence interval and its baselines, all as text; "" for what there is not."""

    label: str
    value: str
    interval: str
    baselines: tuple[str, ...]


def metric_table(title: str, baselines: Sequence[str], rows: Sequence[MetricRow]) -> str:
    """A table under a title: a row per metric; columns are value, 95 % confidence interval and baselines."""
    header = ["", "value", "95 % CI", *baselines]
    cells = [[row.label, row.value, row.interval, *row.baselines] for row in rows]
    return f"{title}\n{align([header, *[[cell or MISSING for cell in row] for row in cells]], left=1)}"
