"""A second stage on disk: `config.yaml` with whose codes it reads, and `model.safetensors`."""

from pathlib import Path

import torch

from speechvq.config import from_mapping, read_yaml, save
from speechvq.config.pixelcnn import SecondStageConfig
from speechvq.errors import UserError
from speechvq.images.model_directory import CONFIG, WEIGHTS, find_model
from speechvq.images.second_stage import SecondStage
from speechvq.priors.grid_prior import read_grid
from speechvq.weights import check_tensors, read_tensors, write_tensors


def save_second_stage(folder: Path, model: SecondStage) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / WEIGHTS, model.state_dict())
        save(folder / CONFIG, model.config, grid=model.grid._asdict(), source=model.source)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None


def load_second_stage(folder: str | Path) -> SecondStage:
    """Read a second stage, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: no second stage; a damaged or hostile file; configuration and weights that differ.
    """
    folder = find_model(folder)
    mapping = read_yaml(folder / CONFIG)
    if mapping.get("kind") != "second_stage":
        raise UserError(
            f"{folder / CONFIG}: no second stage; give what `train --out` made with that model.kind"
        )
    grid, source = mapping.pop("grid", None), str(mapping.pop("source", None))
    try:
        config, sizes = from_mapping(SecondStageConfig, mapping), read_grid(grid)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = read_tensors(folder / WEIGHTS)
    with torch.device("meta"):  # a configuration that asks for more than the file has costs no memory
        model = SecondStage(config, sizes, source)
    check_tensors(folder / WEIGHTS, tensors, model.state_dict())
    model.load_state_dict(tensors, assign=True)
    return model.eval()
