"""`prepare images` kept the arrays of an earlier call after images were added or replaced."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from speechvq import prepare


def write_image(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(256, size=(8, 8, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path, format="BMP")  # of equal size


def test_added_and_replaced_images_are_prepared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(8):
        write_image(tmp_path / f"in/{('train', 'test')[number % 2]}/cat/{number}.bmp", number)
    out = tmp_path / "out"

    def prepared() -> np.ndarray:
        argv = ["images", "--root", str(tmp_path / "in"), "--out", str(out), "--size", "8"]
        assert prepare.main(argv) == 0
        return np.load(out / "train.npy")

    first = prepared()
    date = (out / "train.npy").stat().st_mtime_ns
    assert len(prepared()) == 4 and (out / "train.npy").stat().st_mtime_ns == date
    write_image(tmp_path / "in/train/cat/9.bmp", 9)
    assert len(prepared()) == 5 and "preparing them again" in capsys.readouterr().err
    (tmp_path / "in/train/cat/9.bmp").unlink()
    replaced = tmp_path / "in/train/cat/0.bmp"
    before = replaced.stat()
    write_image(replaced, 77)
    os.utime(replaced, (before.st_mtime - 9_999, before.st_mtime - 9_999))
    assert not np.array_equal(prepared(), first)
