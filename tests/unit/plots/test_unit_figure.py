"""The figure of units: the matrix, the strips of the utterance, and unusual inputs."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from helpers.synthetic_speech import speech
from speechvq.alignment.intervals import Interval
from speechvq.alignment.phones import PHONES, SILENCE
from speechvq.metrics.units.purity import LabeledCodes, score_purity
from speechvq.plots.panels import code_colors
from speechvq.plots.phone_colors import order_by_manner, phone_colors
from speechvq.plots.unit_matrix import sorted_matrix
from speechvq.plots.units import plot_units, unit_figure


def units(names: list[str], *, seconds: float = 0.6, rate: float = 50.0, codes: int = 16) -> LabeledCodes:
    """Phones of equal duration with random codes."""
    count = max(round(seconds * rate), 1)
    cuts = np.linspace(0, seconds, len(names) + 1)
    intervals = [Interval(a, b, name) for a, b, name in zip(cuts, cuts[1:], names)]
    return LabeledCodes(np.random.default_rng(0).integers(codes, size=count), intervals)


def test_the_matrix_is_sorted_by_phone_and_purity() -> None:
    """Code 0 is always S; code 1 is S in two of three frames; code 2 is AA; code 3 never occurs."""
    intervals = [Interval(0.0, 1.0, "S"), Interval(1.0, 2.0, "AA")]
    example = LabeledCodes(np.array([0, 0, 1, 1, 1, 2, 2, 2]), intervals)
    score = score_purity([example], 4, 4.0, num_resamples=2)["all"]
    matrix = sorted_matrix(score)
    assert matrix.phones == ("AA", "S") and matrix.num_codes == 4
    assert matrix.table.tolist() == [[3, 0, 1], [0, 2, 2]]  # codes 2, 0, 1
    assert matrix.best.tolist() == [0, 1, 1]
    assert matrix.fractions[:, 2].tolist() == pytest.approx([1 / 3, 2 / 3])
    figure = unit_figure(score, example, None, title="ann", frame_rate=4.0)
    above, _, middle, beside, *strips = figure.axes
    assert np.array_equal(middle.images[0].get_array(), matrix.fractions)
    assert [label.get_text() for label in middle.get_yticklabels()] == ["AA", "S"]
    assert [bar.get_height() for bar in above.patches] == [3, 2, 3, 3, 2, 2]  # frames, then correct frames
    assert [bar.get_width() for bar in beside.patches] == [4, 4, 3, 4]
    assert "3 of 4 codes active, phone purity 87.5 %" in above.get_title(loc="left")
    phone_strip, code_strip, predicted_strip = strips
    assert [text.get_text() for text in phone_strip.texts] == ["S", "AA"]
    assert [patch.get_x() for patch in predicted_strip.patches] == [
        0.0,
        1.25,
    ]  # code 1 is S at the fifth frame
    assert np.array_equal(code_strip.images[0].get_array(), code_colors(example.codes, 4)[None])
    assert phone_strip.get_title(loc="right") == "7 of 8 codes predict the phone at their frame"


@pytest.mark.parametrize(
    ("example", "with_audio"),
    [
        (units(["SIL", "AA", "B", "$x_1$", "S", "sil"]), True),
        (units(["AA"], codes=1), False),
        (units([f"phone {i}" for i in range(70)], seconds=9.0, codes=300), False),
        (units(["AA", "B"], rate=5.0), True),
        (units(["AA", "B"], seconds=0.02), False),
    ],
    ids=["usual", "one code", "many phones", "low rate", "one frame"],
)
def test_unusual_inputs(example: LabeledCodes, with_audio: bool, tmp_path: Path) -> None:
    rate = 5.0 if len(example.codes) == 3 else 50.0
    score = score_purity([example], 300, rate, num_resamples=2)["all"]
    wave = speech("ann", seconds=0.6) if with_audio else None
    plot_units(tmp_path / "a.png", score, example, wave, title="ann $1$", frame_rate=rate)
    image = matplotlib.image.imread(tmp_path / "a.png")
    assert image.shape[1] == 1600 and image.std() > 0.05
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]
    figure = unit_figure(score, example, wave, title="ann $1$", frame_rate=rate)
    assert len(figure.axes) == 4 + 3 + with_audio
    assert len(figure.axes[2].images[0].get_array()) == min(len(score.phones), 60)


def test_phones_are_ordered_by_manner_and_others_by_frequency() -> None:
    names = ["rare", "T", "AH1", "often", "sil", "N"]
    order = order_by_manner(names, np.array([1, 5, 5, 9, 5, 5]))
    assert [names[i] for i in order] == ["sil", "AH1", "N", "T", "often", "rare"]
    assert sorted(order_by_manner(PHONES, np.ones(len(PHONES)))) == list(range(len(PHONES)))


def test_all_phones_have_different_colors() -> None:
    colors = phone_colors(PHONES)
    assert set(colors) == set(PHONES) and len(set(colors.values())) == len(PHONES)
    red, green, blue = colors[SILENCE]
    assert max(red, green, blue) - min(red, green, blue) < 0.05  # gray
