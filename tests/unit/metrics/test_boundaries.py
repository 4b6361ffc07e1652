"""Boundaries are compared if the phones on both sides agree; a shift appears as bias."""

import math

import numpy as np
import pytest

from speechvq.alignment.intervals import Interval
from speechvq.metrics.units.boundaries import (
    METRICS,
    BoundaryErrors,
    BoundarySummary,
    boundary_errors,
    summarize_boundaries,
)


def intervals(phones: str, *, length: float = 0.1, later: float = 0.0) -> list[Interval]:
    names = phones.split()
    starts = [0.0, *(i * length + later for i in range(1, len(names)))]
    return [Interval(a, b, n) for a, b, n in zip(starts, [*starts[1:], length * len(names)], names)]


def summaries(*utterances: BoundaryErrors) -> dict[str, BoundarySummary]:
    return {summary.name: summary for summary in summarize_boundaries(utterances)}


def test_an_alignment_agrees_with_itself() -> None:
    found = boundary_errors(intervals("SIL HH AW S SIL"), intervals("SIL HH AW S SIL"))
    assert found.total == 4 and found.errors.tolist() == [0.0] * 4
    by_name = summaries(found)
    assert [by_name[name].value for name, _, _ in METRICS] == [0, 0, 1, 0, 1]


def test_a_late_alignment_has_an_equal_bias() -> None:
    found = boundary_errors(intervals("SIL HH AW S SIL", later=0.03), intervals("SIL HH AW S SIL"))
    np.testing.assert_allclose(found.errors, 0.03)
    by_name = summaries(found)
    assert by_name["bias"].value == pytest.approx(30) == by_name["mean_error"].value
    assert by_name["within_20_ms"].value == 0 and summaries(found, found)["bias"].low == pytest.approx(30)


def test_20_ms_are_within_the_tolerance() -> None:
    assert (
        summaries(boundary_errors(intervals("A B", later=0.02), intervals("A B")))["within_20_ms"].value == 1
    )


@pytest.mark.parametrize(
    ("found", "reference", "errors", "total"),
    [
        ("A B C D", "A B X D", 1, 3),  # only A|B
        ("A B D", "A B C D", 1, 3),  # B|D is no boundary of the reference
        ("A B C D", "A B D", 1, 2),
        ("A sil sp B", "A SIL B", 2, 2),  # silences by any name, joined
        ("A", "A", 0, 0),
        ("A B", "C D", 0, 1),
    ],
)
def test_only_common_boundaries_are_compared(found: str, reference: str, errors: int, total: int) -> None:
    result = boundary_errors(intervals(found), intervals(reference))
    assert (len(result.errors), result.total) == (errors, total)


def test_the_baseline_has_equal_durations() -> None:
    reference = [Interval(0, 0.1, "A"), Interval(0.1, 1.0, "B")]
    found = boundary_errors(reference, reference)
    assert found.uniform_errors.tolist() == [pytest.approx(0.4)]
    assert summaries(found)["mean_error"].baseline == pytest.approx(400)
    assert math.isnan(summaries(found)["coverage"].baseline)


def test_boundaries_have_equal_weight_and_utterances_are_resampled() -> None:
    short = BoundaryErrors(np.array([0.1]), np.array([0.2]), 2)
    long = BoundaryErrors(np.zeros(9), np.zeros(9), 10)
    by_name = summaries(*[short, long] * 20)
    assert by_name["mean_error"].value == pytest.approx(10)
    assert by_name["coverage"].value == pytest.approx(10 / 12)
    assert by_name["mean_error"].low < 10 < by_name["mean_error"].high
    nothing = BoundaryErrors(np.empty(0), np.empty(0), 5)
    assert summaries(short, nothing)["coverage"].value == pytest.approx(1 / 7)


def test_nothing_to_compare_is_rejected() -> None:
    with pytest.raises(ValueError, match="no boundary"):
        summarize_boundaries([boundary_errors(intervals("A B"), intervals("C D"))])
    with pytest.raises(ValueError, match="no boundary"):
        summarize_boundaries([])
