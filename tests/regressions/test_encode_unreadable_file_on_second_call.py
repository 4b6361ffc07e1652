"""`encode` skipped an unreadable file, counted it as encoded, and failed on it when called again."""

from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_invalid_audio, write_tone
from speechvq import encode


def test_both_calls_skip_an_unreadable_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_invalid_audio(tmp_path / "in", "text.wav")
    write_tone(tmp_path / "in/good.wav")
    model = save_tiny_model(tmp_path / "run")
    for summary in ("1 done, 0 skipped (unchanged), 1 failed", "0 done, 1 skipped (unchanged), 1 failed"):
        assert (
            encode.main(
                ["--model", str(model), "--src", str(tmp_path / "in"), "--out", str(tmp_path / "out")]
            )
            == 0
        )
        failed, last = capsys.readouterr().err.splitlines()[-2:]
        assert last == summary and failed.startswith("failed: ")
