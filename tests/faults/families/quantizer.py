"""The quantizer's properties, by the unit tests that prove them."""

from collections.abc import Iterator

from faults.case import Case, Setting
from faults.truths import cases_of

TRIED = (
    "Tests of: gradients of each term of eq. 3; moving averages against their closed form; the nearest "
    "code against brute force in float64, with ties; a planted dead code that is reinitialized and "
    "stays in use; two processes against one on the joined batch."
)
NODES = (
    "tests/unit/test_quantizer.py",
    "tests/unit/test_vqvae.py",
    "tests/unit/runtime/test_distributed.py::test_two_processes_equal_one_on_the_joined_batch",
    "tests/unit/runtime/test_distributed.py::test_all_processes_end_with_the_same_model",
)


def cases(setting: Setting) -> Iterator[Case]:
    """One case for each test."""
    return cases_of(NODES, setting)
