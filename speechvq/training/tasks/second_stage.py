"""How the second stage is taught: grids of codes, and whether its decoder listens to the few latents."""

import math
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.config.runs import SecondStageRun
from speechvq.errors import UserError
from speechvq.images.second_stage import SecondStage, latent_usage_nll, save_second_stage
from speechvq.quantizer import perplexity
from speechvq.training.task import TrainingTask
from speechvq.training.tasks.pixelcnn import AT_ONCE, grid_batches, read_grids
from speechvq.vqvae import Losses


class _CodesOnly(nn.Module):
    """The model as the loop calls it: the batches bring the pictures' classes too."""

    def __init__(self, model: SecondStage) -> None:
        super().__init__()
        self.model = model

    def forward(self, codes: Tensor, labels: Tensor) -> Losses:
        """The loss of codes (B, H, W, G)."""
        return self.model(codes)


def build_task(config: SecondStageRun, device: torch.device) -> TrainingTask:
    """The model on its device, its codes and its measures.

    Raises:
        UserError: no model with codes, or no pictures, where the settings say; fewer than two held out.
    """
    data = read_grids(config.data, device)
    if min(data.grid.height, data.grid.width) < 4:
        raise UserError(
            f"{config.data.model}: a grid of {data.grid.height} codes is no longer worth a second stage"
        )
    torch.manual_seed(config.train.seed)
    model = SecondStage(config.model, data.grid, data.source).to(device)
    codes = torch.from_numpy(np.array(data.heldout[0][: config.train.num_eval_items])).long()
    if len(codes) < 2:
        raise UserError("fewer than two held-out pictures, so another one's latents could not be tried")
    batches = grid_batches(data, config.data.batch, config.train.seed)
    return TrainingTask(_CodesOnly(model), batches, lambda taught: measure(_model_in(taught), codes), _export)


def measure(model: SecondStage, codes: Tensor) -> dict[str, float]:
    """What the model is worth on held-out codes (B, H, W, G).

    Returns:
        `heldout_bits` a code, given the latents; `latents_gap_bits`, what another grid's latents cost (near
        zero: the latents are not used); `heldout_bound_bits`, the latents' own bits included;
        `heldout_perplexity` of them.
    """
    size = codes[0].numel() * math.log(2)
    own, others = (float(nats.mean()) / size for nats in latent_usage_nll(model, codes, batch=AT_ONCE))
    config = model.config
    latents = config.latents * math.log2(config.quantizer.num_codes) / codes[0].numel()
    device = next(model.parameters()).device
    used = torch.cat(
        [model.quantizer(model.encoder(part.to(device))).usage[None] for part in codes.split(AT_ONCE)]
    )
    return {
        "heldout_bits": own,
        "latents_gap_bits": others - own,
        "heldout_bound_bits": own + latents,
        "heldout_perplexity": float(perplexity(used.sum(0))),
    }


def _export(folder: Path, model: nn.Module) -> None:
    save_second_stage(folder, _model_in(model))


def _model_in(taught: nn.Module) -> SecondStage:
    assert isinstance(taught, _CodesOnly)
    return taught.model
