"""A small negative value was printed as "-0" in the table of `evaluate conversion` and on the report page."""

import pytest

from speechvq.cli.tables import number


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [(-0.4, 0, "0"), (-0.04, 1, "0.0"), (-0.0, 2, "0.00"), (-0.6, 0, "-1"), (0.4, 0, "0")],
)
def test_a_rounded_zero_has_no_sign(value: float, digits: int, text: str) -> None:
    assert number(value, digits) == text
