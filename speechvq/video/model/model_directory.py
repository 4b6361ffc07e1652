"""A prior over the next frame on disk, and the image model whose codes it reads."""

from pathlib import Path
from typing import Any

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
        UserError: no such prior; a damaged or hostile file; configuration and weights that differ.
    """

    def build(config: VideoPriorConfig, grid: Grid, source: str, more: dict[str, Any]) -> VideoPrior:
        image = None if more["image"] is None else ImageVQ(_image_config(more["image"], grid))
        return VideoPrior(config, grid, source, image)

    return load_grid_model(
        folder, "video_prior", "prior over frames", VideoPriorConfig, build, more=("image",)
    )


def _image_config(mapping: object, grid: Grid) -> ImageVQConfig:
    """Of the image model that a prior with motion brings along."""
    if not isinstance(mapping, dict):
        raise UserError("image: expected an image model's settings")
    config = from_mapping(ImageVQConfig, mapping, "image")
    if (config.autoencoder.grid, config.codes_per_position, config.quantizer.num_codes) != grid[1:]:
        raise UserError("image: its codes are other than the prior's grid")
    return config


def resolve_paths(prior: Path, model: Path | None, data: Path | None) -> tuple[Path, Path]:
    """Image model and recording: as given, or those of the prior's run.

    Raises:
        UserError: neither says.
    """
    place = prior / CONFIG
    if (prior / "model").is_dir() and place.is_file():
        config = read_run(place)
        if not isinstance(config, VideoPriorRun):
            raise UserError(f"{place}: no prior over frames; give what `train --out` made of one")
        model, data = model or Path(config.data.model), data or Path(config.data.root)
    if model is None or data is None:
        missing = "--model" if model is None else "--data"
        raise UserError(f"{prior}: no run of a prior over frames, which would know; give {missing}")
    return model, data


def load_pair(prior_place: Path, model_place: Path, device: str) -> tuple[VideoPrior, ImageModel]:
    """A prior over frames and the image model whose codes they are, in evaluation mode.

    Raises:
        UserError: either is missing or damaged, or they do not belong together.
    """
    prior, model = load_video_prior(prior_place), load_image_model(model_place)
    if prior.source != fingerprint(model_place) or prior.grid != require_codes(model).grid:
        raise UserError(f"{prior_place}: fitted to another model's codes; give its own by --model")
    return prior.to(device), model.to(device)
