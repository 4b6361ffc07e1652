"""A prior over the next frame on disk: `config.yaml` with whose codes it reads, and `model.safetensors`."""

from pathlib import Path

import torch

from speechvq.config import from_mapping, read_run, read_yaml, save
from speechvq.config.runs import VideoPriorRun
from speechvq.config.video import VideoPriorConfig
from speechvq.errors import UserError
from speechvq.images.codes import fingerprint, grid_of
from speechvq.images.model_directory import CONFIG, WEIGHTS, ImageModel, find_model, load_image_model
from speechvq.priors.grid_prior import read_grid
from speechvq.video.prior import VideoPrior
from speechvq.weights import check_tensors, read_tensors, write_tensors


def save_video_prior(folder: Path, prior: VideoPrior) -> None:
    """Write a model directory; the weights first, so that a folder with a configuration is complete.

    Raises:
        UserError: the disk is full or not writable.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_tensors(folder / WEIGHTS, prior.state_dict())
        save(folder / CONFIG, prior.config, grid=prior.grid._asdict(), source=prior.source)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); choose another folder") from None


def load_video_prior(folder: str | Path) -> VideoPrior:
    """Read a prior over the next frame, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: no such prior; a damaged or hostile file; configuration and weights that differ.
    """
    folder = find_model(folder)
    mapping = read_yaml(folder / CONFIG)
    if mapping.get("kind") != "video_prior":
        raise UserError(
            f"{folder / CONFIG}: no prior over frames; give what `train --out` made with that model.kind"
        )
    grid, source = mapping.pop("grid", None), str(mapping.pop("source", None))
    try:
        config, sizes = from_mapping(VideoPriorConfig, mapping), read_grid(grid)
    except UserError as error:
        raise UserError(f"{folder / CONFIG}: {error}") from None
    tensors = read_tensors(folder / WEIGHTS)
    with torch.device("meta"):  # a configuration that asks for more than the file has costs no memory
        prior = VideoPrior(config, sizes, source)
    check_tensors(folder / WEIGHTS, tensors, prior.state_dict())
    prior.load_state_dict(tensors, assign=True)
    return prior.eval()


def places(prior: Path, model: Path | None, data: Path | None) -> tuple[Path, Path]:
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
    if prior.source != fingerprint(model_place) or prior.grid != grid_of(model):
        raise UserError(f"{prior_place}: fitted to another model's codes; give its own by --model")
    return prior.to(device), model.to(device)
