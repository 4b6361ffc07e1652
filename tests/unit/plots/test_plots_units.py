"""Pictures of units are made of whatever there is: few codes, many phones, odd names."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from helpers.voices import speech
from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import PHONES, SILENCE
from speechvq.metrics.units.purity import LabeledCodes, score_purity
from speechvq.plots.phone_colors import order_by_manner, phone_colors
from speechvq.plots.units import plot_units


def units(names: list[str], *, seconds: float = 0.6, rate: float = 50.0, codes: int = 16) -> LabeledCodes:
    count = max(round(seconds * rate), 1)
    cuts = np.linspace(0, seconds, len(names) + 1)
    intervals = [Interval(a, b, name) for a, b, name in zip(cuts, cuts[1:], names)]
    return LabeledCodes(np.random.default_rng(0).integers(codes, size=count), intervals)


@pytest.mark.parametrize(
    ("example", "sound"),
    [
        (units(["SIL", "AA", "B", "$x_1$", "S", "sil"]), True),
        (units(["AA"], codes=1), False),
        (units([f"phone {i}" for i in range(70)], seconds=9.0, codes=300), False),
        (units(["AA", "B"], rate=5.0), True),
        (units(["AA", "B"], seconds=0.02), False),
    ],
    ids=["usual", "one code", "many", "slow", "a moment"],
)
def test_everything_can_be_drawn(example: LabeledCodes, sound: bool, tmp_path: Path) -> None:
    rate = 5.0 if len(example.codes) == 3 else 50.0
    score = score_purity([example], 300, rate, num_resamples=2)["all"]
    wave = speech("ann", seconds=0.6) if sound else None
    plot_units(tmp_path / "a.png", score, example, wave, title="ann $1$", frame_rate=rate)
    drawn = matplotlib.image.imread(tmp_path / "a.png")
    assert drawn.shape[1] == 1600 and drawn.std() > 0.05
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]


def test_phones_stand_by_manner_and_others_by_frequency() -> None:
    names = ["rare", "T", "AH1", "often", "sil", "N"]
    order = order_by_manner(names, np.array([1, 5, 5, 9, 5, 5]))
    assert [names[i] for i in order] == ["sil", "AH1", "N", "T", "often", "rare"]
    assert sorted(order_by_manner(PHONES, np.ones(len(PHONES)))) == list(range(len(PHONES)))


def test_every_phone_has_a_colour_of_its_own() -> None:
    colours = phone_colors(PHONES)
    assert set(colours) == set(PHONES) and len(set(colours.values())) == len(PHONES)
    red, green, blue = colours[SILENCE]
    assert max(red, green, blue) - min(red, green, blue) < 0.05  # grey
