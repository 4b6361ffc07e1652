"""Evidence lower bounds of image models, and their terms."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

CodePrior = Callable[[Tensor], Tensor]  # codes (B, grid, grid, G) to -log p(codes), nats per image, (B,)


class ElboTerms(NamedTuple):
    """An upper bound on -log p(x) and its terms, nats per image, (B,) each."""

    total: Tensor  # the bound
    reconstruction: Tensor  # -log p(x | z), expected under q(z | x)
    latents: Tensor  # -log p(z) for a deterministic z, else KL(q(z | x) | p(z)) or a sample of it


class ElboLosses(NamedTuple):
    """The losses of a batch; nats per sub-pixel."""

    total: Tensor  # (), minimized
    nats: Tensor  # (), the bound
    reconstruction: Tensor  # ()
    latents: Tensor  # ()


def bits_per_dim(nats: Tensor, dimensions: int) -> Tensor:
    """Nats per image to bits per sub-pixel, of the same shape."""
    return nats / (dimensions * math.log(2))


def uniform_prior(num_codes: int) -> CodePrior:
    """The uniform prior over codes, which training assumes (van den Oord et al. 2017, section 3.1)."""

    def nll(codes: Tensor) -> Tensor:
        return torch.full((len(codes),), codes[0].numel() * math.log(num_codes), device=codes.device)

    return nll
