"""Twenty training steps of all models, with their pre-training stages, give the recorded losses."""

from pathlib import Path

import pytest

from golden import machine, subjects


@pytest.mark.parametrize("name", subjects.CURVES)
def test_curves_equal_the_recorded_curves(name: str, tmp_path: Path) -> None:
    """The minimized loss and all logged numbers at every step."""
    recorded = machine.read("loss_curves.json")[name]
    found = subjects.CURVES[name](tmp_path)
    assert found.keys() == recorded.keys()
    for number, row in found.items():
        machine.assert_curve(row, recorded[number], f"{name}, {number}")


def test_every_curve_has_all_steps() -> None:
    """All training loops are recorded, including pre-training stages."""
    recorded = machine.read("loss_curves.json")
    assert recorded.keys() == subjects.CURVES.keys()
    pretrained = {
        "speech, source and filter",
        "speech, filter alone, encoder not in its stage",
        "video prior, motion",
    }
    for name, curves in recorded.items():
        assert len(curves["minimised"]) == subjects.STEPS * (2 if name in pretrained else 1), name
