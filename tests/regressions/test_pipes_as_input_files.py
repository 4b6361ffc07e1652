"""A pipe in the place of a model's, a voice's or another file was waited for without end."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from speechvq.alignment.g2p import read_dictionary
from speechvq.alignment.intervals import read_lab
from speechvq.data.corpora.recording import read_text
from speechvq.data.features_directory import open_features
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.io.reading import open_regular, read_regular, read_regular_text
from speechvq.io.tensors import read_tensors
from speechvq.io.yaml_files import read_yaml


@pytest.mark.parametrize("read", [read_tensors, read_yaml, read_manifest, read_lab, read_dictionary])
@pytest.mark.parametrize("device", [False, True])
def test_only_regular_files_are_read(read: Callable[[Path], object], device: bool, tmp_path: Path) -> None:
    path = tmp_path / "a"
    if device:
        path.symlink_to("/dev/zero")
    else:
        os.mkfifo(path)
    with pytest.raises(UserError, match="a pipe or device, not a file"):
        read(path)


def test_a_pipe_as_meta_json(tmp_path: Path) -> None:
    (tmp_path / "a.npy").touch()
    os.mkfifo(tmp_path / "meta.json")
    with pytest.raises(UserError, match=r"meta.json: cannot be read \(a pipe or device, not a file\)"):
        open_features(tmp_path)


def test_a_pipe_is_no_transcript(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.txt")
    assert read_text(tmp_path / "a.txt") is None


def test_regular_files_and_links_to_them_are_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree")
    (tmp_path / "link").symlink_to("a")
    assert read_regular_text(tmp_path / "link") == "one\ntwo\nthree"
    assert read_regular(tmp_path / "link").endswith(b"three")
    with pytest.raises(IsADirectoryError):
        open_regular(tmp_path)
