"""`convert` worked for minutes before it reported that --out was missing or had an unsupported ending."""

from pathlib import Path

import pytest

from helpers.odd_sounds import write_tone
from speechvq import convert


@pytest.mark.parametrize(
    "more", [["--target-speaker", "ada,bob"], ["--target-speaker", "ada", "--out", "b.mp3"]]
)
def test_it_is_refused_before(more: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """There is no model to speak with."""
    source = write_tone(tmp_path / "a.wav")
    assert convert.main(["--model", str(tmp_path / "nowhere"), "--src", str(source), *more]) == 2
    assert "no model here" not in capsys.readouterr().err
