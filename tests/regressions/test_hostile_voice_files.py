"""Voice files with wrong types, shapes or numbers ended in tracebacks, or were taken as they were."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.tiny import f0_model
from speechvq.errors import UserError
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.speech.speakers.voice_file import Voice, load_voice, save_voice

DTYPES = (
    *(torch.int64, torch.int8, torch.bool, torch.float64, torch.float16, torch.bfloat16),
    *(torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2),
)


def changed(path: Path, name: str, tensor: Tensor) -> Path:
    """A valid voice file with one other tensor."""
    save_voice(path, Voice(torch.ones(3), 120.0), f0_model())
    write_tensors(path, read_tensors(path) | {name: tensor})
    return path


def test_a_valid_file_is_read(tmp_path: Path) -> None:
    voice = load_voice(changed(tmp_path / "a.safetensors", "f0", torch.tensor(110.0)), f0_model())
    assert torch.equal(voice.embedding, torch.ones(3)) and voice.f0 == 110


@pytest.mark.parametrize("name", ["embedding", "f0", "codebook"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_other_types_are_refused(name: str, dtype: torch.dtype, tmp_path: Path) -> None:
    shape = {"embedding": (3,), "f0": (), "codebook": (8,)}[name]
    path = changed(tmp_path / "a.safetensors", name, torch.ones(shape).to(dtype))
    with pytest.raises(UserError, match="a.safetensors: damaged voice file, types or shapes are wrong"):
        load_voice(path, f0_model())


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("embedding", torch.tensor([1.0, torch.nan, 1.0]), "out of range"),
        ("embedding", torch.full((3,), 3e38), "out of range"),
        ("embedding", torch.ones(1, 3), "types or shapes"),
        ("embedding", torch.ones(4), "another model"),
        ("f0", torch.tensor(torch.nan), "out of range"),
        ("f0", torch.tensor(-1.0), "out of range"),
        ("f0", torch.ones(1), "types or shapes"),
        ("codebook", torch.ones(8, dtype=torch.uint8), "another model"),
        ("codebook", torch.ones(0, dtype=torch.uint8), "another model"),
        ("more", torch.ones(1), "not a voice file"),
    ],
)
def test_other_shapes_and_numbers_are_refused(
    name: str, tensor: Tensor, message: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=f"a.safetensors: .*{message}"):
        load_voice(changed(tmp_path / "a.safetensors", name, tensor), f0_model())


def test_a_voice_in_a_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written"):
        save_voice(tmp_path / "file/a.safetensors", Voice(torch.ones(3), 120.0), f0_model())


def test_message_of_a_missing_voice_file(tmp_path: Path) -> None:
    """It said to take an undamaged copy, or to train again."""
    with pytest.raises(UserError, match=r"me.safetensors: no such file; `enroll --name me` writes"):
        load_voice(tmp_path / "me.safetensors", f0_model())
