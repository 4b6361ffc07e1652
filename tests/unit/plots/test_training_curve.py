"""The figure of a training run: the data of its lines, whatever was logged so far, and the PNG."""

import math
from pathlib import Path

import matplotlib.image
import pytest

from speechvq.plots.training_curve import (
    CODES,
    IMAGE_CODES,
    IMAGES,
    SECOND_STAGE,
    Panel,
    plot_training_curve,
    training_figure,
)


def test_lines_are_the_logged_metrics() -> None:
    metrics = [
        {"step": 50.0, "nats": 4.0, "perplexity": 30.0},
        {"step": 100.0, "heldout_bits": 5.5, "codes_gap_bits": 0.4, "speaker_gap_bits": -0.1},
        {"step": 150.0, "nats": 3.0},
    ]
    loss, usage, codes, speakers = training_figure(metrics).axes
    training, heldout = loss.lines
    assert list(training.get_xdata()) == [50, 150]
    assert list(training.get_ydata()) == pytest.approx([4 / math.log(2), 3 / math.log(2)])
    assert (list(heldout.get_xdata()), list(heldout.get_ydata())) == ([100], [5.5])
    assert [line.get_ydata().tolist() for line in usage.lines] == [[30]]
    assert codes.lines[0].get_ydata().tolist() == [0.4] and codes.get_ylim()[0] == 0
    assert speakers.get_ylim()[0] <= -0.1  # negative values are shown
    assert [text.get_text() for text in loss.get_legend().get_texts()] == ["training", "held out"]
    assert [axes.get_xlabel() for axes in (loss, usage, codes, speakers)] == ["", "", *["training step"] * 2]


@pytest.mark.parametrize(
    ("metrics", "empty"),
    [
        ([{"step": 50.0, "nats": 4.0, "perplexity": 30.0}], 2),
        ([{"step": 50.0 * i, "heldout_bits": 6 - i, "codes_gap_bits": i} for i in range(3)], 2),
        ([{"step": 1.0}], 4),
    ],
    ids=["training only", "held-out only", "nothing"],
)
def test_panels_without_data_say_so(metrics: list[dict[str, float]], empty: int, tmp_path: Path) -> None:
    texts = [text.get_text() for axes in training_figure(metrics).axes for text in axes.texts]
    assert texts == ["no data yet"] * empty
    plot_training_curve(tmp_path / "curve.png", metrics)
    assert matplotlib.image.imread(tmp_path / "curve.png").shape[:2] == (900, 1600)


@pytest.mark.parametrize(
    ("panels", "height"), [(CODES, 4.5), (IMAGES, 9.0), (IMAGE_CODES, 9.0), (SECOND_STAGE, 9.0)]
)
def test_panels_of_other_models(panels: tuple[Panel, ...], height: float) -> None:
    metrics = [
        {"step": 10.0 * i} | {line.key: 1.0 + i for panel in panels for line in panel.lines} for i in range(3)
    ]
    figure = training_figure(metrics, panels)
    assert (figure.get_figwidth(), figure.get_figheight()) == (16.0, height)
    for axes, panel in zip(figure.axes, panels):
        assert axes.get_title(loc="left") == panel.title and axes.get_ylabel() == panel.unit
        assert [line.get_ydata().tolist() for line in axes.lines] == [[1.0, 2.0, 3.0]] * len(panel.lines)
