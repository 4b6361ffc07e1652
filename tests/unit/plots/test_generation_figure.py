"""The figure of generated speech: the data of its panels, unusual inputs, and the mark at a prompt's end."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from speechvq.plots.generation import generation_figure, plot_generation
from speechvq.plots.panels import code_colors


def examples() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(0)
    return {
        name: (0.1 * rng.standard_normal(8000), rng.integers(8, size=25)) for name in ("p225_0", "$a_1 <b>")
    }


def figure_of(prompt_seconds: float = 0.0) -> Figure:
    return generation_figure(examples(), frame_rate=50.0, num_codes=8, prompt_seconds=prompt_seconds)


def test_spectrograms_above_codes() -> None:
    figure = figure_of()
    assert [axes.get_title(loc="left") for axes in figure.axes[::2]] == list(examples())
    for below, (_, codes) in zip(figure.axes[1::2], examples().values()):
        assert np.array_equal(below.images[0].get_array(), code_colors(codes, 8)[None])
        assert below.images[0].get_extent() == [0, 0.5, 0, 1] and below.get_xlim() == (0, 0.5)
    assert not any(axes.lines for axes in figure.axes)


def test_the_end_of_a_prompt_is_marked() -> None:
    for axes in figure_of(prompt_seconds=0.2).axes:
        (line,) = axes.lines
        assert list(line.get_xdata()) == [0.2, 0.2]
    assert not any(axes.lines for axes in figure_of(prompt_seconds=0.5).axes)  # nothing follows the prompt


@pytest.mark.parametrize(("samples", "codes"), [(0, 0), (1, 1), (100, 0)])
def test_unusual_inputs(samples: int, codes: int, tmp_path: Path) -> None:
    given = {
        "a": (np.zeros(samples), np.zeros(codes, np.int64)),
        "b": (np.ones(1600), np.zeros(5, np.int64)),
    }
    plot_generation(tmp_path / "a.png", given, frame_rate=50.0, num_codes=8)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == 1600
    figure = generation_figure(given, frame_rate=50.0, num_codes=8)
    assert len(figure.axes[1].images) == (codes > 0)
