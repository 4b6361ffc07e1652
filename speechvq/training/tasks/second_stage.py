"""Training task of the second stage: code grids, and how much its decoder uses the few latents."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.config.runs import SecondStageRun
from speechvq.errors import UserError
from speechvq.images.second_stage import SecondStage, latent_usage_nll, save_second_stage
from speechvq.quantizer import perplexity
from speechvq.training.stage import check_batch_splits, main_stage
from speechvq.training.task import TrainingTask
from speechvq.training.tasks.pixelcnn import EVAL_BATCH, grid_batches, read_grids
from speechvq.vqvae import Losses


class _CodesOnly(nn.Module):
    """The model, called with a batch of codes and classes, of which it takes the codes."""

    def __init__(self, model: SecondStage) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor, labels: Tensor) -> Losses:
        """The losses of codes (B, H, W, G)."""
        return self.model(codes)


def build_task(config: SecondStageRun, device: torch.device) -> TrainingTask:
    """The model on its device and the stage of its training.

    Raises:
        UserError: the settings name no model with codes, or no images; fewer than two are held out.
    """
    check_batch_splits("data.batch", config.data.batch)
    data = read_grids(config.data, device)
    if min(data.grid.height, data.grid.width) < 4:
        raise UserError(
            f"{config.data.model}: the model has {data.grid.height} codes per side; a second stage needs 4"
        )
    torch.manual_seed(config.train.seed)
    model = SecondStage(config.model, data.grid, data.source).to(device)
    codes = torch.from_numpy(np.array(data.heldout[0][: config.train.num_eval_items])).long()
    if len(codes) < 2:
        raise UserError(
            "fewer than two held-out images; the evaluation swaps the latents of two, so prepare more"
        )
    batches = grid_batches(data, config.data.batch, config.train.seed)
    wrapped = _CodesOnly(model)
    stage = main_stage(wrapped, batches, lambda module: measure(_unwrapped(module), codes), config.train)
    return TrainingTask(wrapped, (stage,), _export)


def measure(model: SecondStage, codes: Tensor) -> dict[str, float]:
    """Measures on held-out codes (B, H, W, G).

    Returns:
        `heldout_bits`: negative log-likelihood given the latents, bits per code.
        `latents_gap_bits`: its increase with the latents of another grid; near zero if they are unused.
        `heldout_bound_bits`: `heldout_bits` and the bits of the latents.
        `heldout_perplexity`: of the latents.
    """
    size = codes[0].numel() * math.log(2)
    matched, mismatched = (
        float(nats.mean()) / size for nats in latent_usage_nll(model, codes, batch=EVAL_BATCH)
    )
    config = model.config
    latents = config.latents * math.log2(config.quantizer.num_codes) / codes[0].numel()
    device = next(model.parameters()).device
    used = torch.cat(
        [model.quantizer(model.encoder(part.to(device))).usage[None] for part in codes.split(EVAL_BATCH)]
    )
    return {
        "heldout_bits": matched,
        "latents_gap_bits": mismatched - matched,
        "heldout_bound_bits": matched + latents,
        "heldout_perplexity": float(perplexity(used.sum(0))),
    }


def _export(folder: Path, model: nn.Module) -> None:
    save_second_stage(folder, _unwrapped(model))


def _unwrapped(module: nn.Module) -> SecondStage:
    assert isinstance(module, _CodesOnly)
    return module.model
