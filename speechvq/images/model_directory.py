"""An image model on disk: `config.yaml`, whose `kind` says which it is, and `model.safetensors`."""

from pathlib import Path

import torch

from speechvq.config import from_mapping, read_yaml, save
from speechvq.config.images import ImageConfig, ImageVAEConfig, ImageVimcoConfig, ImageVQConfig
from speechvq.config.mapping import shown
from speechvq.errors import UserError
from speechvq.images.vae import ImageVAE
from speechvq.images.vimco import ImageVimco
from speechvq.images.vqvae import ImageVQ
from speechvq.weights import check_tensors, read_tensors, write_tensors

CONFIG, WEIGHTS = "config.yaml", "model.safetensors"
CONFIGS: dict[str, type[ImageConfig]] = {
    "image_vae": ImageVAEConfig,
    "image_vqvae": ImageVQConfig,
    "image_vimco": ImageVimcoConfig,
}

ImageModel = ImageVAE | ImageVQ | ImageVimco


def build(config: ImageConfig) -> ImageModel:
    """A model of a configuration, with random weights."""
    match config:
        case ImageVAEConfig():
            return ImageVAE(config)
        case ImageVQConfig():
            return ImageVQ(config)
        case ImageVimcoConfig():
            return ImageVimco(config)


def save_image_model(folder: Path, model: ImageModel) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / WEIGHTS, model.state_dict())
        save(folder / CONFIG, model.config)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None


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


def load_image_model(folder: str | Path) -> ImageModel:
    """Read a model directory, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: no directory of an image model; a damaged or hostile file; configuration and weights that
            differ.
    """
    folder = find_model(folder)
    mapping = read_yaml(folder / CONFIG)
    kind = mapping.get("kind")
    if not isinstance(kind, str) or kind not in CONFIGS:
        raise UserError(f"{folder / CONFIG}: kind: expected one of {', '.join(CONFIGS)}, got {shown(kind)}")
    try:
        config = from_mapping(CONFIGS[kind], mapping)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = read_tensors(folder / WEIGHTS)
    with torch.device("meta"):  # a configuration that asks for more than the file has costs no memory
        model = build(config)
    check_tensors(folder / WEIGHTS, tensors, model.state_dict())
    model.load_state_dict(tensors, assign=True)
    return model.to(memory_format=torch.channels_last).eval()
