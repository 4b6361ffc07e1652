"""The bundled model's codes and first samples, on every engine, are those that were recorded."""

import numpy as np
import pytest

from golden import machine, subjects


@pytest.fixture(scope="module")
def found() -> subjects.Bundled:
    """What the model does here."""
    return subjects.bundled()


def test_codes(found: subjects.Bundled) -> None:
    """Equal, or all but one in a hundred on another machine."""
    recorded = machine.read("bundled_codes.json")
    assert found.codes.keys() == recorded.keys()
    for name, codes in found.codes.items():
        assert len(codes) == len(recorded[name])
        share = float(np.mean(np.array(codes) == np.array(recorded[name])))
        assert share == 1.0 if machine.is_recorder() else share >= machine.EQUAL_CODES, name


def test_samples(found: subjects.Bundled) -> None:
    """Bit-identical, or alike at their beginning on another machine."""
    with np.load(machine.FOLDER / "bundled_samples.npz", allow_pickle=False) as file:
        recorded = dict(file)
    assert found.samples.keys() == recorded.keys()
    for name, samples in found.samples.items():
        wanted = recorded[name]
        assert samples.dtype == np.float32 and samples.shape == wanted.shape
        if machine.is_recorder():
            assert samples.tobytes() == wanted.tobytes(), name
        elif name != "chunked, at the join":  # far from the beginning
            first = slice(machine.FIRST_SAMPLES)
            assert np.corrcoef(samples[first], wanted[first])[0, 1] > machine.CORRELATION, name


def test_engines_agree_where_they_must(found: subjects.Bundled) -> None:
    """A sound does not depend on its neighbours, nor at its beginning on the engine."""
    samples = found.samples
    if machine.is_recorder():
        assert np.allclose(samples["first of a batch"], samples["numba fp32"], atol=1e-5)
    first = slice(machine.FIRST_SAMPLES)
    assert np.corrcoef(samples["torch"][first], samples["numba fp32"][first])[0, 1] > machine.CORRELATION
