"""The WaveNet's properties, by the unit tests that prove them."""

from collections.abc import Iterator

from faults.case import Case, Setting
from faults.truths import cases_of

TRIED = (
    "Tests of: a future sample changes no past output; the receptive field against its formula; cached "
    "sampling against the parallel forward, in both engines; a batch against single streams; "
    "frequencies of draws against the softmax."
)
NODES = (
    "tests/unit/speech/test_wavenet.py",
    "tests/unit/speech/test_wavenet_conditioning.py",
    "tests/unit/speech/test_sampler.py",
    "tests/unit/speech/test_numba_engine.py::test_float32_equals_the_parallel_forward",
    "tests/unit/speech/test_numba_engine.py::test_samples_do_not_depend_on_the_numbers_of_streams_and_cores",
)


def cases(setting: Setting) -> Iterator[Case]:
    """One case for each test."""
    return cases_of(NODES, setting)
