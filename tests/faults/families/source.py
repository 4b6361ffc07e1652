"""Nothing in the package executes code from a file, by the project test that reads the syntax trees."""

from collections.abc import Iterator

from faults.case import Case, Setting
from faults.truths import cases_of

TRIED = (
    "Every module of the package: no pickle, torch.load, torch.save, yaml.load, eval, exec, shell or "
    "extractall without a filter; numpy.load only with allow_pickle=False."
)
NODES = ("tests/project/test_architecture.py::test_no_call_executes_code_from_a_file",)


def cases(setting: Setting) -> Iterator[Case]:
    """One case for each test."""
    return cases_of(NODES, setting)
