"""Pictures of conversions are made, 1600 pixels wide, of whatever sounds there are."""

from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from helpers.voices import speech
from speechvq.plots.conversion import plot_conversion

SOURCE = speech("ann", seconds=0.6)
CODES = np.random.default_rng(0).integers(0, 16, 30)


def picture(path: Path) -> np.ndarray:
    """Pixels (H, W, 3) or more channels."""
    assert [each.name for each in path.parent.iterdir()] == [path.name]  # nothing temporary is left
    return matplotlib.image.imread(path)


def test_conversion(tmp_path: Path) -> None:
    heights = []
    for voices in ((), ("ben", "cay")):
        converted = {voice: speech(voice, seconds=0.6) for voice in voices}
        plot_conversion(
            tmp_path / "a.png", SOURCE, CODES, converted, title="ann, 1", frame_rate=50, num_codes=16
        )
        drawn = picture(tmp_path / "a.png")
        assert drawn.shape[1] == 1600 and drawn.std() > 0.1
        heights.append(drawn.shape[0])
    assert heights == sorted(set(heights))  # a panel more for each voice


@pytest.mark.parametrize(
    ("source", "codes"),
    [(SOURCE, None), (SOURCE[:300], CODES[:1]), (np.zeros(8000), CODES[:0]),
     (np.tile(SOURCE, 8), np.tile(CODES, 8))],
    ids=["no model", "a moment", "silence", "long"],
)  # fmt: skip
def test_conversion_of_odd_sounds(source: np.ndarray, codes: np.ndarray | None, tmp_path: Path) -> None:
    converted = {"$x_1$ & <b>": source[: len(source) // 2]}
    plot_conversion(
        tmp_path / "a.png", source, codes, converted, title="50 % of $_$", frame_rate=50, num_codes=16
    )
    assert picture(tmp_path / "a.png").shape[1] == 1600


def test_equal_data_give_equal_pictures(tmp_path: Path) -> None:
    for name in ("a", "b"):
        plot_conversion(
            tmp_path / name / "x.png", SOURCE, CODES, {"ben": SOURCE}, title="", frame_rate=50, num_codes=16
        )
    assert (tmp_path / "a/x.png").read_bytes() == (tmp_path / "b/x.png").read_bytes()
