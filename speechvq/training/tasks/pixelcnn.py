"""Training task of a prior over code grids: the codes of prepared images by a trained image model."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.config.pixelcnn import GridDataConfig
from speechvq.config.runs import PixelCNNRun
from speechvq.data.sampler import shuffled_batches
from speechvq.errors import UserError
from speechvq.images.codes import cached_codes, fingerprint, require_codes
from speechvq.images.dataset import check_size, read_images, training_images_root
from speechvq.images.model_directory import load_image_model
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.priors.grid.prior import GridPrior, save_grid_prior
from speechvq.runtime import distributed
from speechvq.training.stage import Batches, check_batch_splits, main_stage
from speechvq.training.task import TrainingTask

EVAL_BATCH = 32  # held-out grids measured at once; bounds memory


class GridData(NamedTuple):
    """The codes of a model's images."""

    grid: Grid
    training: tuple[np.ndarray, np.ndarray]  # codes (N, H, W, G) and classes (N,)
    heldout: tuple[np.ndarray, np.ndarray]
    classes: list[str]
    source: str  # fingerprint of the model


def build_task(config: PixelCNNRun, device: torch.device) -> TrainingTask:
    """The prior on its device and the stage of its training.

    Raises:
        UserError: the settings name no model with codes, or no images.
    """
    check_batch_splits("data.batch", config.data.batch)
    data = read_grids(config.data, device)
    torch.manual_seed(config.train.seed)
    prior = GridPrior(config.model, data.grid, data.classes, data.source).to(device)
    codes, labels = (torch.from_numpy(np.array(part[: config.train.num_eval_items])) for part in data.heldout)
    batches = grid_batches(data, config.data.batch, config.train.seed)
    stage = main_stage(prior, batches, lambda model: measure(model, codes.long(), labels), config.train)
    return TrainingTask(prior, (stage,), _export)


def read_grids(config: GridDataConfig, device: torch.device) -> GridData:
    """The codes of both splits of a model's images.

    Raises:
        UserError: the settings name no model with codes, or no images.
    """
    if not config.model:
        raise UserError(
            "data.model is not set; give an image model's run: --set data.model=exp/cifar10/vqvae"
        )
    model = load_image_model(config.model).to(device)
    root = config.root or training_images_root(Path(config.model))
    parts = {}
    for split in ("train", "test"):
        images = read_images(root, split)
        check_size(images, model.config.autoencoder.size, str(root))
        parts[split] = (cached_codes(config.model, model, images, root, split), images.labels)
    return GridData(
        require_codes(model).grid, parts["train"], parts["test"], images.classes, fingerprint(config.model)
    )


def grid_batches(data: GridData, batch: int, seed: int) -> Batches:
    """Batches of codes (B, H, W, G) int64 and classes (B,) int64, endless from a step on."""
    codes, labels = data.training

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        indices = shuffled_batches(
            len(codes), batch, seed, step=step, rank=distributed.rank(), world_size=distributed.world_size()
        )
        for chosen in indices:
            yield torch.from_numpy(np.array(codes[chosen])).long(), torch.from_numpy(labels[chosen])

    return batches


def measure(prior: nn.Module, codes: Tensor, labels: Tensor) -> dict[str, float]:
    """`heldout_bits`: negative log-likelihood per code of held-out codes (B, H, W, G) of classes (B,)."""
    assert isinstance(prior, GridPrior)
    device = next(prior.parameters()).device
    parts = zip(codes.split(EVAL_BATCH), labels.split(EVAL_BATCH))
    nats = torch.cat([prior.nll(part.to(device), classes.to(device)) for part, classes in parts])
    return {"heldout_bits": float(nats.mean()) / codes[0].numel() / math.log(2)}


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, GridPrior)
    save_grid_prior(folder, model)
