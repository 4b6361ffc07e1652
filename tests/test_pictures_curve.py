"""The picture of training is made of whatever was measured so far."""

from pathlib import Path

import matplotlib.image
import pytest

from speechvq.pictures.curve import draw_curve


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
    draw_curve(tmp_path / "curve.png", metrics)
    assert matplotlib.image.imread(tmp_path / "curve.png").shape[:2] == (900, 1600)
