"""The model directory of a prior over the next frame, and the image model of its codes."""

from pathlib import Path
from typing import Any

import torch

from speechvq.config import read_run
from speechvq.config.images import ImageVQConfig
from speechvq.config.mapping import from_mapping, to_mapping
from speechvq.config.runs import VideoPriorRun
from speechvq.config.video import VideoPriorConfig
from speechvq.errors import UserError
from speechvq.images.codes import fingerprint, require_codes
from speechvq.images.model_directory import ImageModel, load_image_model
from speechvq.images.vqvae import ImageVQ
from speechvq.io.model_directory import CONFIG
from speechvq.priors.grid.model_directory import load_grid_model, save_grid_model
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.video.model.prior import VideoPrior


def save_video_prior(folder: Path, prior: VideoPrior) -> None:
    """Write a model directory.

    Raises:
        UserError: the disk is full or not writable.
    """
    image = None if prior.motion is None else to_mapping(prior.motion.image.config)
    save_grid_model(folder, prior, image=image)


def load_video_prior(folder: str | Path) -> VideoPrior:
    """Read a prior over the next frame, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: there is no such prior, a file is damaged or hostile, or the weights do not fit the
            configuration.
    """

    def build(config: VideoPriorConfig, grid: Grid, source: str, more: dict[str, Any]) -> VideoPrior:
        image = None if more["image"] is None else ImageVQ(_image_config(more["image"], grid))
        return VideoPrior(config, grid, source, image)

    return load_grid_model(
        folder, "video_prior", "prior over frames", VideoPriorConfig, build, more=("image",)
    )


def _image_config(mapping: object, grid: Grid) -> ImageVQConfig:
    """The configuration of the image model that is part of a prior with motion."""
    if not isinstance(mapping, dict):
        raise UserError("image: expected the configuration of an image model")
    config = from_mapping(ImageVQConfig, mapping, "image")
    if (config.autoencoder.grid, config.codes_per_position, config.quantizer.num_codes) != grid[1:]:
        raise UserError("image: its codes do not have the shape of the prior's grid")
    return config


def resolve_paths(prior: Path, model: Path | None, data: Path | None) -> tuple[Path, Path]:
    """Paths of the image model and the recording.

    Args:
        prior: the prior's run or model directory.
        model: the image model; None takes that of the prior's run.
        data: the recording; None takes that of the prior's run.

    Raises:
        UserError: a path is None, and `prior` is not a run directory.
    """
    place = prior / CONFIG
    if (prior / "model").is_dir() and place.is_file():
        config = read_run(place)
        if not isinstance(config, VideoPriorRun):
            raise UserError(
                f"{place}: not a run of a prior over frames; give the folder of its `train --out`"
            )
        model, data = model or Path(config.data.model), data or Path(config.data.root)
    if model is None or data is None:
        missing = "--model" if model is None else "--data"
        raise UserError(f"{prior}: not a run directory, so its data are unknown; give {missing}")
    return model, data


def load_pair(prior_path: Path, model_path: Path, device: torch.device) -> tuple[VideoPrior, ImageModel]:
    """Load a prior over frames and the image model of its codes, in evaluation mode.

    Raises:
        UserError: either is missing or damaged, or the prior was fitted to another model's codes.
    """
    prior, model = load_video_prior(prior_path), load_image_model(model_path)
    if prior.source != fingerprint(model_path) or prior.grid != require_codes(model).grid:
        raise UserError(f"{prior_path}: fitted to another model's codes; give its own by --model")
    return prior.to(device), model.to(device)
