"""`convert` wrote hundreds of lines of its progress bar into log files."""

from pathlib import Path

import pytest

from helpers.odd_sounds import save_tiny_model, write_tone
from speechvq import convert


def test_a_log_stays_clean(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_tone(tmp_path / "a.wav", samples=800)
    argv = [
        "--model",
        str(save_tiny_model(tmp_path / "run")),
        "--src",
        str(source),
        "--target-speaker",
        "bob",
    ]
    assert convert.main([*argv, "--out", str(tmp_path / "b.wav")]) == 0
    err = (
        capsys.readouterr().err
    )  # a first call may say that it compiles, and one line of progress; the last is the speed
    assert "\r" not in err and err.count("s of sound") <= 2
