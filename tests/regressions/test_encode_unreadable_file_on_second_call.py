"""`encode` skipped an unreadable file, counted it as encoded, and failed on it when called again."""

from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_invalid_audio, write_tone
from speechvq import encode


def test_both_calls_skip_an_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_invalid_audio(tmp_path / "in", "text.wav")
    write_tone(tmp_path / "in/good.wav")
    model = save_tiny_model(tmp_path / "run")
    for summary in ("1 recordings encoded, 0 exist already", "0 recordings encoded, 1 exist already"):
        assert (
            encode.main(
                ["--model", str(model), "--src", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
            )
            == 0
        )
        printed, error = capsys.readouterr()
        assert summary in printed and error.startswith("skipped: ")
