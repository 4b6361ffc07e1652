"""How a prior over grids of codes is taught: the codes of prepared pictures by a trained image model."""

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
from speechvq.training.loop import Batches
from speechvq.training.task import TrainingTask

AT_ONCE = 32  # held-out grids measured at once; bounds memory


class GridData(NamedTuple):
    """The codes of a model's pictures."""

    grid: Grid
    training: tuple[np.ndarray, np.ndarray]  # codes (N, H, W, G) and classes (N,)
    heldout: tuple[np.ndarray, np.ndarray]
    classes: list[str]
    source: str  # the model's fingerprint


def build_task(config: PixelCNNRun, device: torch.device) -> TrainingTask:
    """The prior on its device, its codes and its measure.

    Raises:
        UserError: no model with codes, or no pictures, where the settings say.
    """
    data = read_grids(config.data, device)
    torch.manual_seed(config.train.seed)
    prior = GridPrior(config.model, data.grid, data.classes, data.source).to(device)
    codes, labels = (torch.from_numpy(np.array(part[: config.train.num_eval_items])) for part in data.heldout)
    batches = grid_batches(data, config.data.batch, config.train.seed)
    return TrainingTask(prior, batches, lambda model: measure(model, codes.long(), labels), _export)


def read_grids(config: GridDataConfig, device: torch.device) -> GridData:
    """Read the model, and the codes of both splits of its pictures.

    Raises:
        UserError: as above.
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
    """Endless batches of codes (B, H, W, G) int64 and classes (B,) from a step on."""
    codes, labels = data.training

    def batches(step: int) -> Iterator[tuple[Tensor, ...]]:
        numbers = shuffled_batches(
            len(codes), batch, seed, step=step, rank=distributed.rank(), world_size=distributed.world_size()
        )
        for which in numbers:
            yield torch.from_numpy(np.array(codes[which])).long(), torch.from_numpy(labels[which])

    return batches


def measure(prior: nn.Module, codes: Tensor, labels: Tensor) -> dict[str, float]:
    """What a prior is worth on held-out codes (B, H, W, G), classes (B,): `heldout_bits` a code."""
    assert isinstance(prior, GridPrior)
    device = next(prior.parameters()).device
    parts = zip(codes.split(AT_ONCE), labels.split(AT_ONCE))
    nats = torch.cat([prior.nll(some.to(device), told.to(device)) for some, told in parts])
    return {"heldout_bits": float(nats.mean()) / codes[0].numel() / math.log(2)}


def _export(folder: Path, model: nn.Module) -> None:
    assert isinstance(model, GridPrior)
    save_grid_prior(folder, model)
