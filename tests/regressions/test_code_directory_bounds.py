"""Numbers of a codes directory had no useful bounds: a rate of 1e-320, 2^31 codes, or 1,200 labels of 65,536
codes ended in a MemoryError, and a meta.json that is a pipe or a device waited or filled the memory.
"""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechvq import evaluate
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.data.codes_directory import MAX_NUM_CODES, open_codes, read_codes
from speechvq.data.features_directory import open_features
from speechvq.errors import UserError


def write_codes(folder: Path, frame_rate: float = 50, num_codes: int = 100) -> Path:
    folder.mkdir(parents=True)
    np.save(folder / "u.npy", np.arange(100))
    (folder / "meta.json").write_text(json.dumps({"frame_rate_hz": frame_rate, "num_codes": num_codes}))
    return folder


@pytest.mark.parametrize("rate", [1e-320, 1e-9, -50, 1e9, 10**400])
def test_frame_rates_are_bounded(rate: float, tmp_path: Path) -> None:
    folder = write_codes(tmp_path / "codes", frame_rate=rate)
    for read in (open_codes, open_features):
        with pytest.raises(UserError, match="frame_rate_hz is .*; expected frames per second, 0.1 to 100000"):
            read(folder)


@pytest.mark.parametrize("num_codes", [10**8, 2**31, MAX_NUM_CODES + 1, -1])
def test_numbers_of_codes_are_bounded(num_codes: int, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="num_codes is .*; expected the codebook's size, 1 to 1048576"):
        open_codes(write_codes(tmp_path / "codes", num_codes=num_codes))


def test_the_largest_codebook_is_measured(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_codes(tmp_path / "codes", num_codes=MAX_NUM_CODES)
    assert evaluate.main(["codebook", "--codes", str(folder)]) == 0
    assert "1048576 at most" in capsys.readouterr().out


@pytest.mark.parametrize(("labels", "words"), [(1_200, "1200 different labels"), (40, "give fewer codes")])
def test_a_table_that_exceeds_the_memory_is_refused(
    labels: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_codes(tmp_path / "codes", num_codes=65_536 if labels > 300 else MAX_NUM_CODES)
    write_lab(tmp_path / "lab/u.lab", [Interval(i / 10, (i + 1) / 10, f"w{i}") for i in range(labels)])
    flags = ["purity", "--codes", str(folder), "--alignments", str(tmp_path / "lab")]
    assert evaluate.main(flags) == 2
    error = capsys.readouterr().err
    assert words in error and error.count("\n") == 1


@pytest.mark.parametrize(
    "replace",
    [
        os.mkfifo,
        lambda path: path.symlink_to("/dev/zero"),
        Path.mkdir,
        lambda path: path.write_bytes(b" " * 2**21),
    ],
)
def test_a_meta_json_that_is_no_small_file_is_refused(replace: Callable[[Path], Any], tmp_path: Path) -> None:
    place = write_codes(tmp_path / "codes") / "meta.json"
    place.unlink()
    replace(place)
    for read in (open_codes, open_features):
        with pytest.raises(UserError, match=r"meta\.json: (cannot be read|not JSON)"):
            read(place.parent)


def test_a_sparse_file_of_codes_is_refused(tmp_path: Path) -> None:
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (10000000000,)}".ljust(117) + "\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode())
    os.truncate(path, 10_000_000_128)
    with pytest.raises(UserError, match="more than a recording has"):
        read_codes(path, 10)


@pytest.mark.filterwarnings("error")
def test_the_product_of_a_hostile_shape_overflows_without_a_warning(tmp_path: Path) -> None:
    header = f"{{'descr': '<i8', 'fortran_order': False, 'shape': ({2**60},)}}".ljust(117) + "\n"
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode() + b"\0" * 80)
    with pytest.raises(UserError, match="not a complete"):
        read_codes(path, 10)
