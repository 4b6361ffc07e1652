"""`encode` skipped an unreadable file, counted it as encoded, and failed on it when called again."""

from pathlib import Path

import pytest

from helpers.odd_sounds import save_tiny_model, write_bad, write_tone
from speechvq import encode


def test_both_calls_pass_it_over(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_bad(tmp_path / "in", "text.wav")
    write_tone(tmp_path / "in/good.wav")
    model = save_tiny_model(tmp_path / "run")
    for said in ("1 recordings encoded, 0 exist already", "0 recordings encoded, 1 exist already"):
        assert (
            encode.main(
                ["--model", str(model), "--src", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
            )
            == 0
        )
        printed, error = capsys.readouterr()
        assert said in printed and error.startswith("skipped: ")
