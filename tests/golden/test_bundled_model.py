"""The bundled model gives the recorded codes and first samples on all engines."""

import numpy as np
import pytest

from golden import machine, subjects


@pytest.fixture(scope="module")
def found() -> subjects.Bundled:
    """Codes and samples of the bundled model on this machine."""
    return subjects.bundled()


def test_codes_equal_the_recorded_codes(found: subjects.Bundled) -> None:
    """Exactly; on another machine, 99 % of the codes."""
    recorded = machine.read("bundled_codes.json")
    assert found.codes.keys() == recorded.keys()
    for name, codes in found.codes.items():
        assert len(codes) == len(recorded[name])
        fraction = float(np.mean(np.array(codes) == np.array(recorded[name])))
        assert fraction == 1.0 if machine.is_recorder() else fraction >= machine.EQUAL_CODES, name


def test_samples_equal_the_recorded_samples(found: subjects.Bundled) -> None:
    """To the bit; on another machine, the first samples are correlated."""
    with np.load(machine.FOLDER / "bundled_samples.npz", allow_pickle=False) as file:
        recorded = dict(file)
    assert found.samples.keys() == recorded.keys()
    for name, samples in found.samples.items():
        expected = recorded[name]
        assert samples.dtype == np.float32 and samples.shape == expected.shape
        if machine.is_recorder():
            assert samples.tobytes() == expected.tobytes(), name
        elif name != "chunked, at the join":  # rounding has changed samples before the join
            first = slice(machine.FIRST_SAMPLES)
            assert np.corrcoef(samples[first], expected[first])[0, 1] > machine.CORRELATION, name


def test_engines_agree_at_the_beginning(found: subjects.Bundled) -> None:
    """A conversion does not depend on its batch, and its first samples do not depend on the engine."""
    samples = found.samples
    if machine.is_recorder():
        assert np.allclose(samples["first of a batch"], samples["numba fp32"], atol=1e-5)
    first = slice(machine.FIRST_SAMPLES)
    assert np.corrcoef(samples["torch"][first], samples["numba fp32"][first])[0, 1] > machine.CORRELATION
