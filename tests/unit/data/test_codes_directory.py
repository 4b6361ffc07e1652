"""Codes of any program are read; an invalid file gives one line that names it."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from speechvq.data.codes_directory import open_codes, read_codes
from speechvq.data.unit_formats.npy import write_npy
from speechvq.errors import UserError

META = {"frame_rate_hz": 50, "num_codes": 100}


def make(folder: Path, meta: Any = META, **codes: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "meta.json").write_text(meta if isinstance(meta, str) else json.dumps(meta))
    for name, each in (codes or {"a": [1, 2, 3]}).items():
        np.save(folder / f"{name}.npy", np.array(each))
    return folder


@pytest.mark.parametrize("kind", ["int8", "uint8", ">i4", "uint64", "int64"])
def test_integers_of_any_type_are_read(kind: str, tmp_path: Path) -> None:
    folder = make(tmp_path, a=np.array([0, 99, 7], kind), b=np.zeros(0, kind))
    (tmp_path / "deeper").mkdir()
    write_npy(tmp_path / "deeper/ünï c.npy", np.arange(5)[::-1])
    (tmp_path / ".part-1.npy").write_bytes(b"")  # left by an interrupted command
    found = open_codes(folder)
    assert (found.frame_rate_hz, found.num_codes) == (50.0, 100)
    assert {utt: found.read(utt).tolist() for utt in found.files} == {
        "a": [0, 99, 7],
        "b": [],
        "ünï c": [4, 3, 2, 1, 0],
    }
    assert found.read("a").dtype == np.int64


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([0.0, 1.0], "expected integers, found float64; save codes.astype(numpy.int64)"),
        ([np.nan], "expected integers, found float64"),
        ([True], "expected integers, found bool"),
        (["a"], "expected integers"),
        ([1j], "expected integers, found complex128"),
        (7, "expected shape (N,), found ()"),
        ([[1, 2], [3, 4]], "expected shape (N,), found (2, 2); save one code per frame"),
        ([5, 100], "code 100 at frame 1; meta.json allows 0 to 99"),
        ([5, 6, -1], "code -1 at frame 2"),
        (np.array([2**64 - 1], np.uint64), "code 18446744073709551615 at frame 0"),
    ],
)
def test_files_that_are_not_codes_are_refused(codes: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        open_codes(make(tmp_path, a=codes)).read("a")
    assert str(error.value).startswith(str(tmp_path / "a.npy")) and words in str(error.value)


@pytest.mark.parametrize(
    ("meta", "words"),
    [
        ("", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("\0\udcff".encode("utf-8", "surrogateescape").decode("latin-1"), "not JSON"),
        ([1], "not a JSON object"),
        ({"num_codes": 100}, "frame_rate_hz is None; expected frames per second, 0.1 to 100000"),
        ({"frame_rate_hz": "50", "num_codes": 100}, "frame_rate_hz is '50'"),
        ({"frame_rate_hz": True, "num_codes": 100}, "frame_rate_hz is True"),
        ('{"frame_rate_hz": NaN, "num_codes": 100}', "frame_rate_hz is nan"),
        ('{"frame_rate_hz": Infinity, "num_codes": 100}', "frame_rate_hz is inf"),
        ({"frame_rate_hz": 0, "num_codes": 100}, "frame_rate_hz is 0"),
        ({"frame_rate_hz": 50}, "num_codes is None; expected the codebook's size"),
        ({"frame_rate_hz": 50, "num_codes": 99.5}, "num_codes is 99.5"),
        ({"frame_rate_hz": 50, "num_codes": 0}, "num_codes is 0"),
        ({"frame_rate_hz": 50, "num_codes": 10**30}, "num_codes is 1000"),
    ],
)
def test_an_invalid_meta_json_is_refused(meta: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as error:
        open_codes(make(tmp_path, meta))
    assert str(error.value).startswith(str(tmp_path / "meta.json")) and words in str(error.value)


def remove_meta(folder: Path) -> None:
    (folder / "meta.json").unlink()


def repeat(folder: Path) -> None:
    shutil.copy(folder / "a.npy", folder / "a.NPY")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (remove_meta, "meta.json: missing; write it beside the .npy files"),
        (repeat, "both belong to the utterance a; keep one"),
        (lambda folder: (folder / "a.npy").unlink(), "no codes below; expected files ending in .npy"),
        (lambda folder: os.mkfifo(folder / "b.npy"), "b.npy: neither a file nor a folder"),
        (lambda folder: (folder / "b.npy").symlink_to("nowhere"), "b.npy: neither a file nor a folder"),
    ],
)
def test_folders_that_cannot_be_read(change: Callable[[Path], Any], words: str, tmp_path: Path) -> None:
    change(make(tmp_path))
    with pytest.raises(UserError, match=words):
        open_codes(tmp_path)


def test_a_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; give the folder of the codes"):
        open_codes(tmp_path / "nowhere")


def test_pickles_and_archives_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}]))
    np.savez(tmp_path / "b.npz", np.arange(3))
    (tmp_path / "b.npz").rename(tmp_path / "b.npy")
    for name in "ab":
        with pytest.raises(UserError, match="not a complete .npy file of integers"):
            read_codes(tmp_path / f"{name}.npy", 10)


@pytest.mark.parametrize("shape", [(10**12,), (2**63,), (-5,), (10**6, 10**6, 10**6), "x", (None,)])
def test_a_header_cannot_allocate_more_than_the_file(shape: Any, tmp_path: Path) -> None:
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': {shape!r}}}".ljust(117) + "\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 80)
    with pytest.raises(UserError):
        read_codes(path, 10)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject, tmp_path: Path) -> None:
    """Truncated, changed or random files: no other exception, and no code out of range."""
    path = tmp_path / "a.npy"
    np.save(path, np.arange(20))
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=4)):
            content[place] = data.draw(st.integers(0, 255))
    else:
        content = bytearray(data.draw(st.binary(max_size=80)))
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    try:
        codes = read_codes(path, 1000)
    except UserError as error:
        assert str(error).startswith(str(path))
    else:
        assert codes.ndim == 1 and codes.dtype == np.int64
        assert not len(codes) or 0 <= codes.min() and codes.max() < 1000
