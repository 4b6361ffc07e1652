"""A meta.json that was truncated or not a JSON object ended `encode` with a traceback."""

from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import encode


@pytest.mark.parametrize("content", [b"", b'{"frame_rate_hz": 250', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_meta_json_gets_one_line(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, source = save_tiny_model(tmp_path / "run"), write_tone(tmp_path / "a.wav")
    (tmp_path / "meta.json").write_bytes(content)
    assert encode.main(["--model", str(model), "--src", str(source), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert f"{tmp_path / 'meta.json'}: damaged; remove it" in error and error.count("\n") == 1
