"""The picture of generated speech: its size, odd sounds and names, and the line where a prompt ends."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from speechvq.plots.generation import plot_generation


def picture(path: Path, **options: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    sounds = {
        name: (0.1 * rng.standard_normal(8000), rng.integers(8, size=25)) for name in ("p225_0", "$a_1 <b>")
    }
    plot_generation(path, sounds, frame_rate=50.0, num_codes=8, **options)  # type: ignore[arg-type]
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"), int)


def test_a_picture_of_two_sounds(tmp_path: Path) -> None:
    plain, prompted = picture(tmp_path / "a.png"), picture(tmp_path / "b.png", prompt_seconds=0.2)
    assert plain.shape[1] == 1600 and plain.shape == prompted.shape
    changed = (
        (np.abs(plain - prompted) > 60).any(axis=2).mean(axis=0)
    )  # of each column; colours are few, so some move
    assert changed.max() > 0.3 and 0.3 < changed.argmax() / 1600 < 0.55  # a line at 0.2 of 0.5 s


@pytest.mark.parametrize(("samples", "codes"), [(0, 0), (1, 1), (100, 0)])
def test_odd_sounds(samples: int, codes: int, tmp_path: Path) -> None:
    sounds = {
        "a": (np.zeros(samples), np.zeros(codes, np.int64)),
        "b": (np.ones(1600), np.zeros(5, np.int64)),
    }
    plot_generation(tmp_path / "a.png", sounds, frame_rate=50.0, num_codes=8)
    with Image.open(tmp_path / "a.png") as image:
        assert image.size[0] == 1600
