"""Empty and truncated code files, as left by a power cut, counted as encoded and were kept."""

from pathlib import Path

import numpy as np

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import encode


def test_damaged_code_files_are_encoded_again(tmp_path: Path) -> None:
    model, source = save_tiny_model(tmp_path / "run"), write_tone(tmp_path / "a.wav")
    argv = ["--model", str(model), "--src", str(source), "--out", str(tmp_path / "codes")]
    assert encode.main(argv) == 0
    whole = (tmp_path / "codes/a.npy").read_bytes()
    for kept in (0, 40, len(whole) - 1):
        (tmp_path / "codes/a.npy").write_bytes(whole[:kept])
        assert encode.main(argv) == 0
        assert np.load(tmp_path / "codes/a.npy", allow_pickle=False).shape == (201,)
