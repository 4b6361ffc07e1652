"""`convert` raised a traceback for a negative --limit or a --seed of thirty digits, and accepted NaN as
temperature.
"""

from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import convert


@pytest.mark.parametrize("flag", ["--limit=-1", f"--seed={10**30}", "--temperature=nan", "--temperature=inf"])
def test_an_invalid_number_gets_one_line(
    flag: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tone(tmp_path / "in/a.wav", samples=50)
    argv = ["--model", str(save_tiny_model(tmp_path / "run")), "--src", str(tmp_path / "in")]
    assert convert.main([*argv, "--target-speaker", "bob", "--out", str(tmp_path / "out"), flag]) == 2
    error = capsys.readouterr().err
    assert flag.split("=")[0] in error and error.count("\n") == 1
