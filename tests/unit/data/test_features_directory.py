"""Features directories: complete files of finite numbers, and one line for any other file."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from speechvq import UserError
from speechvq.data.features_directory import open_features


def write(folder: Path, features: np.ndarray) -> Path:
    (folder / "deep").mkdir()
    (folder / "meta.json").write_text('{"frame_rate_hz": 50}')
    np.save(folder / "deep/a.npy", features)
    return folder


@pytest.mark.parametrize("kind", ["f2", "f4", "f8", "i4"])
def test_numbers_of_any_type_are_read(kind: str, tmp_path: Path) -> None:
    features = np.arange(12).reshape(4, 3).astype(kind)
    found = open_features(write(tmp_path, features))
    assert found.frame_rate_hz == 50 and found.read("a").dtype == np.float32
    np.testing.assert_array_equal(found.read("a"), features)


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(3), r"shape \(3,\); expected numbers \(N, C\)"),
        (np.zeros((2, 3), complex), "complex128"),
        (np.array([["a"]]), "expected numbers"),
        (np.array([[1, np.nan]]), "NaN or infinite"),
        (np.array([[1e300]]), "NaN or infinite"),
    ],
)
def test_files_that_are_not_features_are_refused(features: np.ndarray, message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        open_features(write(tmp_path, features)).read("a")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "meta.json").unlink(), "write it beside the .npy files"),
        (lambda folder: (folder / "meta.json").write_text("{"), "not JSON"),
        (lambda folder: (folder / "meta.json").write_text("[]"), "not a JSON object"),
        (lambda folder: (folder / "meta.json").write_text('{"frame_rate_hz": true}'), "is True"),
        (lambda folder: (folder / "meta.json").write_text('{"frame_rate_hz": -1}'), "is -1"),
        (lambda folder: (folder / "deep/a.npy").unlink(), "no features below"),
        (lambda folder: (folder / "deep/a.NPY").write_bytes(b""), "both belong to the utterance deep/a"),
        (lambda folder: (folder / "deep/a.npy").write_bytes(b"\x93NUMPY"), "not a complete .npy file"),
        (lambda folder: (folder / "deep/a.npy").write_bytes(b""), "not a complete .npy file"),
    ],
)
def test_invalid_folders_are_refused(spoil: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    spoil(write(tmp_path, np.zeros((2, 2))))
    with pytest.raises(UserError, match=message):
        open_features(tmp_path).read("a")
