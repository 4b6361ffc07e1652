"""A model on disk: `config.yaml`, whose `kind` says what it is, and `model.safetensors`."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from speechvq.errors import UserError
from speechvq.io.tensors import check_tensors, read_tensors, write_tensors
from speechvq.io.yaml_files import write_yaml

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
Model = TypeVar("Model", bound=nn.Module)


def save_model_directory(folder: Path, tensors: Mapping[str, Tensor], config: Mapping[str, Any]) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Args:
        folder: created if missing.
        tensors: the model's state.
        config: the configuration and further keys, as plain data.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_tensors(folder / WEIGHTS, tensors)
    write_yaml(folder / CONFIG, config)


def find_model(folder: str | Path) -> Path:
    """The model directory itself, which a run directory has in `model/`.

    Raises:
        UserError: there is none.
    """
    folder = Path(folder)
    found = next(
        (f for f in (folder / "model", folder) if (f / WEIGHTS).is_file() and (f / CONFIG).is_file()), None
    )
    if found is None:
        raise UserError(f"{folder}: no model here; give what `train --out` made, or its model/")
    return found


def load_weights(folder: Path, build: Callable[[], Model]) -> Model:
    """Build a model and fill it with a model directory's weights, in evaluation mode.

    Args:
        folder: the model directory itself.
        build: makes the model that the configuration asks for; its UserErrors are the configuration's.

    Raises:
        UserError: a damaged or hostile file; configuration and weights that differ.
    """
    try:
        with torch.device("meta"):  # a configuration that asks for more than the file has costs no memory
            model = build()
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = read_tensors(folder / WEIGHTS)
    check_tensors(folder / WEIGHTS, tensors, model.state_dict())
    model.load_state_dict(tensors, assign=True)
    return model.eval()
