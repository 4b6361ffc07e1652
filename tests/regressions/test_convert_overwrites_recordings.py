"""`convert --src a.wav --out a.wav` replaced the recording, and a second call converted its own results."""

import os
from pathlib import Path

import pytest

from helpers.audio_files import names, save_tiny_model, write_tone
from speechvq import convert


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("run"))


def run(model: Path, src: Path, out: Path) -> int:
    return convert.main(
        ["--model", str(model), "--src", str(src), "--target-speaker", "bob", "--out", str(out)]
    )


@pytest.mark.parametrize("out", ["a.wav", "sub/../a.wav", "hard.wav", "soft.wav"])
def test_the_recording_as_out_is_refused(
    out: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_tone(tmp_path / "a.wav", samples=100)
    before = source.read_bytes()
    (tmp_path / "sub").mkdir()
    os.link(source, tmp_path / "hard.wav")
    (tmp_path / "soft.wav").symlink_to("a.wav")
    assert run(model, source, tmp_path / out) == 2
    assert "is a source recording and would be replaced" in capsys.readouterr().err
    assert source.read_bytes() == before


def test_a_recording_in_the_folder_of_its_target_is_refused(model: Path, tmp_path: Path) -> None:
    source = write_tone(tmp_path / "bob/a.wav", samples=100)
    before = source.read_bytes()
    assert run(model, tmp_path / "bob", tmp_path) == 2
    assert source.read_bytes() == before


def test_the_folder_of_the_recordings_as_out_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tone(tmp_path / "a.wav", samples=100)
    assert run(model, tmp_path, tmp_path) == 2
    assert "choose another --out" in capsys.readouterr().err and names(tmp_path) == {"a.wav"}


def test_a_second_call_leaves_the_results_of_the_first_out(model: Path, tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav", samples=100)
    for _ in range(2):
        assert run(model, tmp_path, tmp_path / "out") == 0
        assert names(tmp_path) == {"a.wav", "out/bob/a.wav"}
