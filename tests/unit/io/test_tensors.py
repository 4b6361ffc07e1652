"""Tensor files: atomic writing and checked reading."""

import json
import pickle
import random
import struct
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

from speechvq.errors import UserError
from speechvq.io import tensors
from speechvq.io.tensors import MAX_HEADER_BYTES, check_tensors, read_tensors, write_tensors

TENSORS = {
    "matrix": torch.randn(5, 3, generator=torch.Generator().manual_seed(0)),
    "scalar": torch.tensor(7),
    "flag": torch.tensor(True),
    "half": torch.ones(3, dtype=torch.bfloat16),
    "empty": torch.empty(0, 4),
}


def refusal(path: Path) -> str:
    """The message about a refused file."""
    with pytest.raises(UserError) as caught:
        read_tensors(path)
    line = str(caught.value)
    assert "\n" not in line and len(line) < 500 and str(path) in line
    return line


def raw(header: bytes, data: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack("<Q", len(header) if size is None else size) + header + data


def test_round_trip(tmp_path: Path) -> None:
    write_tensors(tmp_path / "a.safetensors", TENSORS | {"strided": TENSORS["matrix"].t()})
    found = read_tensors(tmp_path / "a.safetensors")
    assert torch.equal(found.pop("strided"), TENSORS["matrix"].t())
    assert found.keys() == TENSORS.keys()
    assert all(
        torch.equal(found[name], tensor) and found[name].dtype == tensor.dtype
        for name, tensor in TENSORS.items()
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.safetensors"]


def test_files_of_other_programs_need_no_checksum(tmp_path: Path) -> None:
    save_file(TENSORS, tmp_path / "a.safetensors")
    assert read_tensors(tmp_path / "a.safetensors").keys() == TENSORS.keys()


def test_every_truncation_is_detected(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        assert "undamaged copy" in refusal(path)
    path.write_bytes(content + b"x")
    refusal(path)


def test_every_flipped_bit_is_detected(tmp_path: Path) -> None:
    """In the length, the header or the data: a few hundred bits at random."""
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS)
    content, chance = path.read_bytes(), random.Random(0)
    names = list(TENSORS)
    for bit in chance.sample(range(8 * len(content)), 400):
        harmed = bytearray(content)
        harmed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(harmed)
        try:
            found = read_tensors(path)
        except UserError as error:
            assert "\n" not in str(error)
        else:  # a flipped bit in a key or the spaces of the header may change no tensor
            assert list(found) and all(torch.equal(found[name], TENSORS[name]) for name in names), bit


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 7,
        b"\0" * 100,
        raw(b"{}", size=MAX_HEADER_BYTES + 1),
        raw(b"{}", size=2**64 - 1),
        raw(b"{}", size=3),
        raw(b"[]"),
        raw(b"[" * 100_000),
        raw(b"\xff\xfe"),
        raw(b'{"a": 3}'),
        raw(b'{"a": {"dtype": "F32", "shape": [4294967296, 4294967296], "data_offsets": [0, 0]}}'),
        raw(b'{"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 800]}}', b"12345678"),
        raw(b'{"a": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]}}', b"12345678"),
        raw(b'{"a": {"dtype": "X", "shape": [2], "data_offsets": [0, 8]}}', b"12345678"),
        raw(json.dumps({"__metadata__": 3}).encode()),
        raw(json.dumps({"__metadata__": {"crc32": "00000001"}}).encode()),
        pickle.dumps({"state": [1, 2, 3]}),
        b"PK\x03\x04" + bytes(200),
    ],
    ids=range(18),
)
def test_other_formats_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    refusal(tmp_path / "a.safetensors")


def test_a_renamed_pickle_does_not_run_code(tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self) -> tuple:  # type: ignore[type-arg]
            return Path.touch, (tmp_path / "run",)

    (tmp_path / "a.safetensors").write_bytes(pickle.dumps(Bomb()))
    refusal(tmp_path / "a.safetensors")
    torch.save({"a": Bomb()}, tmp_path / "b.safetensors")
    refusal(tmp_path / "b.safetensors")
    assert not (tmp_path / "run").exists()


def test_missing_files_and_folders(tmp_path: Path) -> None:
    assert "No such file" in refusal(tmp_path / "gone.safetensors")
    assert "directory" in refusal(tmp_path)


def test_a_full_disk_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, TENSORS)

    def full(_: object, target: Path, **__: object) -> None:
        Path(target).write_bytes(b"half of it")
        raise SafetensorError("I/O error:\n No space left on device (os error 28)")

    monkeypatch.setattr(tensors, "save_file", full)
    with pytest.raises(UserError, match="cannot be written.*No space left.*free some space") as caught:
        write_tensors(path, {"other": torch.zeros(1)})
    assert "\n" not in str(caught.value)
    assert [each.name for each in tmp_path.iterdir()] == ["a.safetensors"]
    assert read_tensors(path).keys() == TENSORS.keys()


@pytest.mark.parametrize(
    "change, message",
    [
        ({"matrix": torch.zeros(3, 5)}, r"'matrix' is \(3, 5\).*asks for \(5, 3\)"),
        ({"matrix": torch.zeros(5, 3).double()}, "'matrix' is .*float64.*float32"),
        ({"matrix": torch.full((5, 3), torch.nan)}, "'matrix' holds NaN or Inf"),
        ({"more": torch.zeros(1)}, "'more' is not of this model"),
        ({"flag": None}, "'flag' is missing"),
    ],
)
def test_differences_from_what_the_configuration_asks_for_are_named(
    change: dict[str, Tensor | None], message: str
) -> None:
    found = {name: tensor for name, tensor in (TENSORS | change).items() if tensor is not None}
    with pytest.raises(UserError, match=f"a.safetensors: tensor {message}"):
        check_tensors(Path("a.safetensors"), found, TENSORS)
    check_tensors(Path("a.safetensors"), TENSORS, TENSORS)
