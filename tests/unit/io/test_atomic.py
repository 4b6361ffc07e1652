"""Atomic files and folders: the old content or the new one, and nothing else, after any failure."""

import errno
import json
import os
from pathlib import Path

import pytest

from speechvq.errors import UserError
from speechvq.io.atomic import (
    atomic_file,
    atomic_folder,
    write_bytes,
    write_json,
    write_text,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_replaces_the_old_one_and_parents_are_created(tmp_path: Path) -> None:
    for content in (b"old", b"new"):
        write_bytes(tmp_path / "deep/er/a.bin", content)
    assert (tmp_path / "deep/er/a.bin").read_bytes() == b"new" and names(tmp_path / "deep/er") == ["a.bin"]
    write_text(tmp_path / "a.txt", "ü\n")
    assert (tmp_path / "a.txt").read_bytes() == b"\xc3\xbc\n"
    write_json(tmp_path / "a.json", {"a": [1, None]})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, None]}
    with pytest.raises(ValueError):
        write_json(tmp_path / "a.json", {"a": float("nan")})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": [1, None]}


@pytest.mark.parametrize("sync", [False, True])
@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_a_failure_keeps_the_old_file(error: type[BaseException], sync: bool, tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")
    with pytest.raises(error), atomic_file(path, sync=sync) as temporary:
        assert temporary.name.startswith(".") and temporary.suffix == ".npy"
        temporary.write_bytes(b"half")
        raise error
    assert path.read_bytes() == b"old" and names(tmp_path) == ["a.npy"]
    with atomic_file(path, sync=sync) as temporary:
        temporary.write_bytes(b"whole")
    assert path.read_bytes() == b"whole" and names(tmp_path) == ["a.npy"]


def test_an_unwritable_place_gives_one_line_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file/a.txt: cannot be written .*; free some space") as caught:
        write_text(tmp_path / "file" / "a.txt", "")
    assert "\n" not in str(caught.value)


def test_a_folder_replaces_the_old_one(tmp_path: Path) -> None:
    for name in ("old", "new"):
        with atomic_folder(tmp_path / "sub/step_1") as temporary:
            write_text(temporary / name, "")
    assert names(tmp_path / "sub/step_1") == ["new"] and names(tmp_path / "sub") == ["step_1"]


def test_a_failure_keeps_the_old_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_text(tmp_path / "step_1/old", "")
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "step_1") as temporary:
        write_text(temporary / "half", "")
        raise KeyboardInterrupt
    assert names(tmp_path) == ["step_1"] and names(tmp_path / "step_1") == ["old"]

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(UserError, match="step_1/new: cannot be written .No space left"):
        with atomic_folder(tmp_path / "step_1") as temporary:
            write_text(temporary / "new", "")
    assert names(tmp_path) == ["step_1"] and names(tmp_path / "step_1") == ["old"]
