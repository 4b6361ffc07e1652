"""Text tables: numbers, percentages and intervals as text, and aligned columns."""

import math

import pytest

from speechvq.cli.tables import (
    MetricRow,
    align,
    decimal,
    in_percent,
    interval,
    metric_table,
    number,
    percent,
)


def test_numbers() -> None:
    assert (number(2.345, 1), number(math.nan, 1), number(None, 1)) == ("2.3", "-", "-")
    assert [decimal(x) for x in (0.3399, 6.374, 67.54, 1508.2)] == ["0.340", "6.37", "67.5", "1508"]
    assert (decimal(12), decimal(None), decimal(math.nan)) == ("12", "-", "-")


@pytest.mark.parametrize("missing", [None, math.nan])
def test_percentages(missing: float | None) -> None:
    assert (percent(0.625), percent(0.2682, 1), percent(missing)) == ("62 %", "26.8 %", "-")
    assert (in_percent(0.2682), in_percent(0.2682, 0), in_percent(missing)) == ("26.8", "27", "-")


def test_intervals() -> None:
    assert interval((0.244, 0.3), as_percent=True) == "24.4 to 30.0"
    assert interval((0.244, 0.3), as_percent=True, digits=2) == "24.40 to 30.00"
    assert interval((0.314, 0.372)) == "0.314 to 0.372"
    assert interval(None) == interval((math.nan, 1.0)) == "-"


def test_aligned_columns() -> None:
    assert align([["a", "bb"], ["ccc", "d"]], left=1) == "a    bb\nccc   d"
    table = metric_table("title", ("chance",), [MetricRow("a", "1", "", ("2",))])
    assert table.splitlines() == [
        "title",
        "   value  95 % CI  chance",
        "a      1        -       2",
    ]
