"""The properties of phone purity and PNMI, by the unit tests that prove them."""

from collections.abc import Iterator

from faults.case import Case, Setting
from faults.truths import cases_of

TRIED = (
    "Tests of: a table by hand; random codes give the prior; perfect codes give 1; PNMI against "
    "scikit-learn; order and names change nothing; held-out purity against loops."
)
NODES = (
    "tests/unit/metrics/test_purity.py",
    "tests/unit/metrics/test_contingency.py",
)


def cases(setting: Setting) -> Iterator[Case]:
    """One case for each test."""
    return cases_of(NODES, setting)
