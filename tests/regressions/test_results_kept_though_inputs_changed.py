"""A second call kept results whose recording, model or setting had changed, also if the date was older."""

import os
from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import convert, encode
from speechvq.audio.waveform import read_waveform, write_waveform


def replace_by_an_older_one(path: Path) -> None:
    """Another recording of the same size, with an older date."""
    status, wave = path.stat(), read_waveform(path)
    write_waveform(path, wave[::-1] / 2)
    os.utime(path, (status.st_mtime - 9_999, status.st_mtime - 9_999))


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    for name in "ab":
        write_waveform(tmp_path / f"in/{name}.wav", read_waveform(write_tone(tmp_path / "tone.wav")))
    return tmp_path / "in"


def test_encode(sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = save_tiny_model(tmp_path / "run"), tmp_path / "out"
    argv = ["--model", str(model), "--src", str(sources), "--out", str(out)]
    assert encode.main(argv) == 0
    before = (out / "b.npy").stat().st_mtime_ns
    replace_by_an_older_one(sources / "b.wav")
    assert encode.main(argv) == 0
    assert "1 done, 1 skipped (unchanged), 0 failed" in capsys.readouterr().err
    assert (out / "b.npy").stat().st_mtime_ns > before
    assert encode.main(argv) == 0 and "0 done, 2 skipped" in capsys.readouterr().err


def test_convert(sources: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, out = save_tiny_model(tmp_path / "run"), tmp_path / "out"
    argv = ["--model", str(model), "--src", str(sources), "--target-speaker", "bob", "--out", str(out)]

    def converted(*more: str) -> dict[str, bytes]:
        assert convert.main([*argv, *more]) == 0
        return {name: (out / f"bob/{name}.wav").read_bytes() for name in "ab"}

    first = converted()
    assert converted() == first
    assert capsys.readouterr().err.splitlines()[-1] == "0 done, 2 skipped (unchanged), 0 failed"
    replace_by_an_older_one(sources / "b.wav")
    second = converted()
    assert "1 done, 1 skipped" in capsys.readouterr().err
    assert second["a"] == first["a"] and second["b"] != first["b"]
    assert converted("--seed", "1") != second
    assert "2 done, 0 skipped" in capsys.readouterr().err
    save_tiny_model(model, seed=1)
    assert converted("--seed", "1") and "2 done, 0 skipped" in capsys.readouterr().err
