"""On a disk that ignores case, the result of a.wav replaced that of A.wav without a word."""

import os
from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from speechvq import convert, encode, prepare
from speechvq.errors import UserError
from speechvq.io import names


def test_a_disk_is_recognized_by_a_file_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / ".encode.lock").touch()
    results = [tmp_path / "f/A.npy", tmp_path / "f/b.npy", tmp_path / "F/a.npy"]
    assert not names.ignores_case(tmp_path)
    names.check_case(results, tmp_path)
    os.link(tmp_path / ".encode.lock", tmp_path / ".ENCODE.LOCK")  # as such a disk answers
    assert names.ignores_case(tmp_path)
    names.check_case(results[:2], tmp_path)
    with pytest.raises(UserError, match="F/a.npy and .*f/A.npy: differ in case only, and this disk takes"):
        names.check_case(results, tmp_path)


@pytest.mark.parametrize("command", ["convert", "encode", "prepare"])
def test_commands_refuse_what_would_be_one_file(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("A", "a"):
        write_tone(tmp_path / f"in/ada/{name}.wav", samples=4_000)
    model = ["--model", str(save_tiny_model(tmp_path / "run")), "--src", str(tmp_path / "in")]
    calls = {
        "convert": (convert, [*model, "--target-speaker", "bob"]),
        "encode": (encode, model),
        "prepare": (prepare, ["folder", "--root", str(tmp_path / "in"), "--jobs", "1"]),
    }
    module, arguments = calls[command]
    assert module.main([*arguments, "--out", str(tmp_path / "distinct")]) == 0
    monkeypatch.setattr(names, "ignores_case", lambda _: True)
    assert module.main([*arguments, "--out", str(tmp_path / "out")]) == 2
    assert "differ in case only, and this disk takes them for one file" in capsys.readouterr().err
    assert not [*(tmp_path / "out").rglob("*.wav"), *(tmp_path / "out").rglob("*.npy")]
