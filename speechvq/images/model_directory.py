"""The model directories of image models; `kind` in the configuration selects the model."""

from pathlib import Path

import torch

from speechvq.config import from_mapping, to_mapping
from speechvq.config.images import ImageConfig, ImageVAEConfig, ImageVimcoConfig, ImageVQConfig
from speechvq.images.vae import ImageVAE
from speechvq.images.vimco import ImageVimco
from speechvq.images.vqvae import ImageVQ
from speechvq.io.model_directory import (
    find_model_directory,
    load_model_weights,
    read_model_config,
    save_model_directory,
)

CONFIGS: dict[str, type[ImageConfig]] = {
    "image_vae": ImageVAEConfig,
    "image_vqvae": ImageVQConfig,
    "image_vimco": ImageVimcoConfig,
}

CodeImageModel = ImageVQ | ImageVimco  # with discrete codes
ImageModel = ImageVAE | CodeImageModel


def build(config: ImageConfig) -> ImageModel:
    """The model of a configuration, with random weights."""
    match config:
        case ImageVAEConfig():
            return ImageVAE(config)
        case ImageVQConfig():
            return ImageVQ(config)
        case ImageVimcoConfig():
            return ImageVimco(config)


def save_image_model(folder: Path, model: ImageModel) -> None:
    """Write a model directory.

    Raises:
        UserError: the disk is full or not writable.
    """
    save_model_directory(folder, model.state_dict(), to_mapping(model.config))


def load_image_model(folder: str | Path) -> ImageModel:
    """Read a model directory, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: there is no image model, a file is damaged or hostile, or the weights do not fit the
            configuration.
    """
    folder = find_model_directory(folder)
    mapping = read_model_config(folder, CONFIGS, what="image model")
    config_type = CONFIGS[mapping["kind"]]
    model = load_model_weights(folder, lambda: build(from_mapping(config_type, mapping)))
    return model.to(memory_format=torch.channels_last)
