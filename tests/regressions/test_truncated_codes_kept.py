"""Code files that a power cut had left empty or truncated counted as encoded and were never redone."""

from pathlib import Path

import numpy as np

from helpers.odd_sounds import save_tiny_model, write_tone
from speechvq import encode


def test_they_are_made_anew(tmp_path: Path) -> None:
    model, source = save_tiny_model(tmp_path / "run"), write_tone(tmp_path / "a.wav")
    argv = ["--model", str(model), "--src", str(source), "--out", str(tmp_path / "codes")]
    assert encode.main(argv) == 0
    whole = (tmp_path / "codes/a.npy").read_bytes()
    for kept in (0, 40, len(whole) - 1):
        (tmp_path / "codes/a.npy").write_bytes(whole[:kept])
        assert encode.main(argv) == 0
        assert np.load(tmp_path / "codes/a.npy", allow_pickle=False).shape == (201,)
