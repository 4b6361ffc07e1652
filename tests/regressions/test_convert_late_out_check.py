"""`convert` ran for minutes before it reported that --out was missing or had an unsupported suffix."""

from pathlib import Path

import pytest

from helpers.audio_files import write_tone
from speechvq import convert


@pytest.mark.parametrize(
    "more",
    [["--target-speaker", "ada,bob", "--out", "b.wav"], ["--target-speaker", "ada", "--out", "b.mp3"]],
)
def test_out_is_checked_before_the_model_is_loaded(
    more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The model does not exist, and the error message does not mention it."""
    source = write_tone(tmp_path / "a.wav")
    assert convert.main(["--model", str(tmp_path / "nowhere"), "--src", str(source), *more]) == 2
    assert "no model here" not in capsys.readouterr().err
