"""Twenty steps of every kind of model, and the stages before them, lose what was recorded."""

from pathlib import Path

import pytest

from golden import machine, subjects


@pytest.mark.parametrize("name", subjects.CURVES)
def test_curve(name: str, tmp_path: Path) -> None:
    """All losses that are minimised and all numbers that are logged, of every step."""
    recorded = machine.read("loss_curves.json")[name]
    found = subjects.CURVES[name](tmp_path)
    assert found.keys() == recorded.keys()
    for number, row in found.items():
        machine.assert_curve(row, recorded[number], f"{name}, {number}")


def test_every_curve_has_its_steps() -> None:
    """No loop escapes: a stage before the first step counts its own."""
    recorded = machine.read("loss_curves.json")
    assert recorded.keys() == subjects.CURVES.keys()
    before = {
        "speech, source and filter",
        "speech, filter alone, encoder not in its stage",
        "video prior, motion",
    }
    for name, curves in recorded.items():
        assert len(curves["minimised"]) == subjects.STEPS * (2 if name in before else 1), name
