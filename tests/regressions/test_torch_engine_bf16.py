"""`convert --engine torch --precision bf16` computed in float32 without a message."""

from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import convert


def test_the_torch_engine_refuses_bf16(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, source = save_tiny_model(tmp_path / "run"), write_tone(tmp_path / "a.wav", samples=100)
    arguments = ["--model", str(model), "--src", str(source), "--target-speaker", "bob"]
    flags = ["--engine", "torch", "--precision", "bf16", "--out", str(tmp_path / "b.wav")]
    assert convert.main([*arguments, *flags]) == 2
    assert "leave out --engine torch" in capsys.readouterr().err and not (tmp_path / "b.wav").exists()
