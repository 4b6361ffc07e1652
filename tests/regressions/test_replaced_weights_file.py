"""Weights changed, or the process died of SIGBUS, when their file was overwritten in place."""

import os
from pathlib import Path

import torch

from helpers.tiny import speech_model
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.speech.model import load_model


def test_tensors_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    write_tensors(path, {"a": torch.arange(5000.0)})
    tensors = read_tensors(path)
    content = path.read_bytes()
    with open(path, "rb+") as file:  # the same file, not a new one of that name
        file.write(bytes(len(content)))
    assert torch.equal(tensors["a"], torch.arange(5000.0))
    os.truncate(path, 0)
    assert torch.equal(tensors["a"], torch.arange(5000.0))


def test_a_model_outlives_its_file(tmp_path: Path) -> None:
    saved = speech_model()
    saved.save_pretrained(tmp_path)
    model = load_model(tmp_path)
    os.truncate(tmp_path / "model.safetensors", 0)
    assert all(torch.equal(*pair) for pair in zip(saved.parameters(), model.parameters()))
