"""A model on disk: `config.yaml` with the voices' names, and `model.safetensors`."""

from pathlib import Path

import torch

from speechvq.config import SpeechConfig, from_mapping, read_yaml, save
from speechvq.errors import UserError
from speechvq.speech.model import SpeechVQ
from speechvq.weights import check_tensors, read_tensors, write_tensors

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"


def save_model(folder: Path, model: SpeechVQ) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / WEIGHTS, model.state_dict())
        save(folder / CONFIG, model.config, speakers=list(model.speakers))
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None


def load_model(folder: str | Path) -> SpeechVQ:
    """Read a model directory, ready to encode and speak.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: not a model directory; a damaged or hostile file; configuration and weights that differ.
    """
    folder = Path(folder)
    folder = folder / "model" if (folder / "model" / CONFIG).exists() else folder
    if not (folder / CONFIG).is_file():
        raise UserError(f"{folder}: no model here ({CONFIG} is missing); give what `train --out` made, or its model/")
    mapping = read_yaml(folder / CONFIG)
    speakers = mapping.pop("speakers", None)
    if not isinstance(speakers, list) or not speakers or not all(isinstance(name, str) for name in speakers):
        raise UserError(f"{folder / CONFIG}: 'speakers' must list the voices' names")
    try:
        config = from_mapping(SpeechConfig, mapping)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = read_tensors(folder / WEIGHTS)
    with torch.device("meta"):  # sizes are compared before any memory is taken for them
        model = SpeechVQ(config, speakers)
    check_tensors(folder / WEIGHTS, tensors, model.state_dict())
    model = model.to_empty(device="cpu")
    model.load_state_dict(tensors)
    return model.eval()
