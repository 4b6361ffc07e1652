"""The figure of a conversion: the data of its panels, unusual inputs, and the PNG."""

import re
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.figure import Figure

from helpers.synthetic_speech import speech
from speechvq.alignment.intervals import Interval
from speechvq.audio.f0 import track_f0
from speechvq.plots.conversion import conversion_figure, plot_conversion
from speechvq.plots.panels import code_colors

SOURCE = speech("ann", seconds=0.6)
CODES = np.random.default_rng(0).integers(0, 16, 30)


def titles(figure: Figure) -> list[str]:
    return [title for axes in figure.axes if (title := axes.get_title(loc="left"))]


def test_panels_and_their_data() -> None:
    converted = {name: speech(name, seconds=0.6) for name in ("ben", "cay")}
    phones = [Interval(0.0, 0.2, "AA"), Interval(0.2, 0.6, "S")]
    figure = conversion_figure(
        SOURCE, CODES, converted, title="ann, 1", frame_rate=50, num_codes=16, phones=phones
    )
    assert titles(figure) == [
        "Phones",
        "Source: ann, 1",
        "30 codes at 50 per second (codebook size 16)",
        "Conversion to ben",
        "Conversion to cay",
    ]
    strip, source, codes, numbers = figure.axes[:4]
    assert [patch.get_x() for patch in strip.patches] == pytest.approx([0.0, 0.2])
    assert [text.get_text() for text in strip.texts] == ["AA", "S"]
    assert np.array_equal(codes.images[0].get_array(), code_colors(CODES, 16)[None])
    assert codes.images[0].get_extent() == [0, 0.6, 0, 1]
    assert [text.get_text() for text in numbers.texts] == [str(code) for code in CODES]
    assert source.get_xlim() == (0, 0.6) and len(source.images) == 1
    # The F0 tracks are on second axes, created after all panels.
    for axes, wave in zip(figure.axes[6:], (SOURCE, *converted.values())):
        track, (_, line) = track_f0(wave), axes.lines
        assert np.array_equal(line.get_ydata(), track.f0, equal_nan=True)
        assert np.allclose(line.get_xdata(), 0.01 * np.arange(len(track.f0)))


def test_a_panel_per_conversion(tmp_path: Path) -> None:
    heights = []
    for speakers in ((), ("ben", "cay")):
        converted = dict.fromkeys(speakers, SOURCE)
        figure = conversion_figure(SOURCE, CODES, converted, title="ann, 1", frame_rate=50, num_codes=16)
        heights.append(figure.get_figheight())
        (timed,) = (axes for axes in figure.axes if axes.get_xlabel() == "time (s)")
        assert timed.get_title("left") == (f"Conversion to {speakers[-1]}" if speakers else "Source: ann, 1")
    assert heights == sorted(set(heights))


def test_only_codes_in_the_middle_are_numbered() -> None:
    codes = np.arange(100) % 16
    figure = conversion_figure(np.tile(SOURCE, 4), codes, {}, title="ann, 1", frame_rate=50, num_codes=16)
    assert [text.get_text() for text in figure.axes[2].texts] == [str(code) for code in codes[34:66]]


@pytest.mark.parametrize(
    ("source", "codes"),
    [(SOURCE, None), (SOURCE[:300], CODES[:1]), (np.zeros(8000), CODES[:0]),
     (np.tile(SOURCE, 8), np.tile(CODES, 8))],
    ids=["no model", "300 samples", "silence", "long"],
)  # fmt: skip
def test_unusual_inputs(source: np.ndarray, codes: np.ndarray | None, tmp_path: Path) -> None:
    converted = {"$x_1$ & <b>": source[: len(source) // 2]}
    options = {"title": "50 % of $_$", "frame_rate": 50, "num_codes": 16}
    plot_conversion(tmp_path / "a.png", source, codes, converted, **options)  # type: ignore[arg-type]
    assert [each.name for each in tmp_path.iterdir()] == ["a.png"]  # no temporary file is left
    image = matplotlib.image.imread(tmp_path / "a.png")
    assert image.shape[1] == 1600 and image.std() > 0.1
    figure = conversion_figure(source, codes, converted, **options)  # type: ignore[arg-type]
    with_codes = codes is not None and len(codes) > 0
    assert len(titles(figure)) == 2 + with_codes and figure.axes[0].get_xlim()[1] <= 4.0
    assert "Conversion to $x_1$ & <b>" in titles(figure)


def test_median_f0_says_of_which_part_it_is() -> None:
    for source, words in ((SOURCE, "median F0 "), (np.tile(SOURCE, 8), "median F0 of these 4 s ")):
        figure = conversion_figure(source, None, {"ben": source}, title="")
        texts = [text for axes in figure.axes if (text := axes.get_title(loc="right"))]
        assert len(texts) == 2 and all(re.fullmatch(rf"{words}\d+ Hz", text) for text in texts)


def test_equal_data_give_equal_files(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plot_conversion(
            tmp_path / name / "x.png", SOURCE, CODES, {"ben": SOURCE}, title="", frame_rate=50, num_codes=16
        )
    assert (tmp_path / "a/x.png").read_bytes() == (tmp_path / "b/x.png").read_bytes()
