"""`convert` wrote hundreds of lines of its progress bar into log files."""

from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import convert


def test_a_log_file_has_no_progress_bar(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
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
    # The first call may log that it compiles and one line of progress. The last line reports the speed.
    err = capsys.readouterr().err
    assert "\r" not in err and err.count("s of sound") <= 2
