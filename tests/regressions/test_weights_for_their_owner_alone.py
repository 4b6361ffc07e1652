"""`model.safetensors` had the mode 0600, and other users got the advice to train again."""

import os
import stat
from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model
from speechvq.errors import UserError
from speechvq.io import reading
from speechvq.io.atomic import atomic_file, write_text
from speechvq.io.model_directory import find_model_directory
from speechvq.io.tensors import read_tensors
from speechvq.io.yaml_files import read_yaml


@pytest.mark.parametrize("umask", [0o022, 0o027, 0o077])
def test_a_model_has_the_permissions_of_new_files(umask: int, tmp_path: Path) -> None:
    before = os.umask(umask)
    try:
        save_tiny_model(tmp_path / "run")
    finally:
        os.umask(before)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "run/model").iterdir()}
    assert modes == dict.fromkeys(("config.yaml", "model.safetensors"), 0o666 & ~umask)


def forbid(*arguments: object, **options: object) -> None:
    raise PermissionError(13, "Permission denied", "model")


def test_reading_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = save_tiny_model(tmp_path / "run") / "model"
    monkeypatch.setattr(reading.os, "open", forbid)
    for read, name in ((read_tensors, "model.safetensors"), (read_yaml, "config.yaml")):
        with pytest.raises(UserError, match=rf"{name}: no permission to read it; change its mode or owner$"):
            read(model / name)
    monkeypatch.setattr(Path, "is_file", forbid)
    with pytest.raises(UserError, match="model: no permission to read it; change its mode or owner$"):
        find_model_directory(tmp_path / "run")


def test_writing_without_permission_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "touch", forbid)
    with pytest.raises(UserError, match=r"a.txt: cannot be written, no permission; change the folder's mode"):
        write_text(tmp_path / "a.txt", "")


def test_a_library_may_replace_the_temporary_file(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "a.bin") as temporary:
        temporary.unlink()
        temporary.touch(0o600)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) != 0o600
