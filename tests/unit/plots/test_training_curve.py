"""The picture of training is made of whatever was measured so far."""

from pathlib import Path

import matplotlib.image
import pytest

from speechvq.plots.training_curve import CODES, IMAGE_CODES, IMAGES, SECOND_STAGE, Panel, plot_training_curve


@pytest.mark.parametrize(
    "metrics",
    [
        [{"step": 50.0, "nats": 4.0, "perplexity": 30.0}],
        [
            {"step": 50.0 * i, "heldout_bits": 6 - i, "codes_gap_bits": i, "speaker_gap_bits": -0.1}
            for i in range(3)
        ],
        [{"step": 1.0}],
    ],
    ids=["training only", "held-out only", "nothing"],
)
def test_curve(metrics: list[dict[str, float]], tmp_path: Path) -> None:
    plot_training_curve(tmp_path / "curve.png", metrics)
    assert matplotlib.image.imread(tmp_path / "curve.png").shape[:2] == (900, 1600)


@pytest.mark.parametrize(
    ("panels", "height"), [(CODES, 450), (IMAGES, 900), (IMAGE_CODES, 900), (SECOND_STAGE, 900)]
)
def test_other_panels(panels: tuple[Panel, ...], height: int, tmp_path: Path) -> None:
    metrics = [
        {"step": 10.0 * i} | {line.key: 1.0 + i for panel in panels for line in panel.lines} for i in range(3)
    ]
    plot_training_curve(tmp_path / "curve.png", metrics, panels)
    assert matplotlib.image.imread(tmp_path / "curve.png").shape[:2] == (height, 1600)
