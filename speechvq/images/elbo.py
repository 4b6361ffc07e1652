"""The bound on log p(x) that an image model reports, and its parts."""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

CodePrior = Callable[[Tensor], Tensor]  # codes (B, h, w, G) to -log p(codes), nats, (B,)


class ElboTerms(NamedTuple):
    """Upper bounds on -log p(x) for each picture of a batch, in nats, (B,) each."""

    total: Tensor  # what is reported; latents included
    reconstruction: Tensor  # -log p(x | z), in expectation over q(z | x)
    latents: Tensor  # what telling z costs: -log p(z), less the entropy of q where z is drawn


class ElboLosses(NamedTuple):
    """What a batch costs a model that learns by its bound alone, and the bound's parts; nats a sub-pixel."""

    total: Tensor  # (), what is minimised
    nats: Tensor  # (), the bound
    reconstruction: Tensor  # ()
    latents: Tensor  # ()


def bits_per_dim(nats: Tensor, dimensions: int) -> Tensor:
    """Nats a picture as bits a sub-pixel: of the same shape."""
    return nats / (dimensions * math.log(2))


def uniform_prior(num_codes: int) -> CodePrior:
    """Every code as likely as any other; what training assumes (van den Oord et al. 2017, section 3.1)."""

    def nats(codes: Tensor) -> Tensor:
        cost = codes[0].numel() * math.log(num_codes)
        return torch.full((len(codes),), cost, device=codes.device)

    return nats
