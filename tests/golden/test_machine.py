"""Says how strictly the recorded values are compared here."""

import pytest

from golden import machine


def test_values_are_compared_to_the_bit() -> None:
    """Skipped where another machine recorded: the other tests then allow for its rounding."""
    recorded, here = machine.read("machine.json"), machine.fingerprint()
    others = {name: (recorded[name], here[name]) for name in here if recorded.get(name) != here[name]}
    if others:
        pytest.skip(f"compared with tolerances: recorded with (and here) {others}")
    assert machine.is_recorder()
