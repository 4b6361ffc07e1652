"""Bits per code of images under a uniform distribution, n-grams over neighbors and a PixelCNN."""

import math
from typing import TYPE_CHECKING

import numpy as np

from speechvq.priors.grid.neighbor_ngram import NAMES, NeighborNgram
from speechvq.runtime.progress import progress

if TYPE_CHECKING:
    from speechvq.priors.grid.prior import GridPrior

MAX_FIT_CODES = 10_000_000  # that n-grams are fitted to; bounds memory
ORDER = 4  # of the largest n-gram: the left neighbor, the one above, and the one above to the left
BATCH = 32  # grids


def prior_bits(prior: "GridPrior", codes: np.ndarray) -> np.ndarray:
    """-log2 p of each image's codes, (B, grid, grid, G) to (B,), float64."""
    import torch

    device, parts = next(prior.parameters()).device, torch.from_numpy(codes).split(BATCH)
    with torch.no_grad():
        nats = [
            prior.nll(part.to(device)).cpu()
            for part in progress(parts, total=len(parts), label="prior", unit="batches")
        ]
    return torch.cat(nats).double().numpy() / math.log(2)


def bits_per_code(
    training: np.ndarray, heldout: np.ndarray, num_codes: int, fitted: np.ndarray | None
) -> dict[str, float]:
    """Mean bits per code of held-out images, by model of the codes.

    The n-grams are fitted to the training images, one for each of the G codes of a position.

    Args:
        training: codes (N, grid, grid, G).
        heldout: codes (B, grid, grid, G).
        num_codes: K.
        fitted: bits of each held-out image's codes under a PixelCNN, (B,), or None.
    """
    some = training[:: -(-training.size // MAX_FIT_CODES)]
    bits = {"uniform": math.log2(num_codes)}
    for order in range(1, ORDER + 1):
        nats = [
            NeighborNgram(some[..., g], num_codes, order).nll_per_grid(heldout[..., g]).sum()
            for g in range(heldout.shape[-1])
        ]
        bits[_name(order)] = float(sum(nats)) / heldout.size / math.log(2)
    if fitted is not None:
        bits["PixelCNN"] = float(fitted.sum()) / heldout.size
    return bits


def _name(order: int) -> str:
    return "unigram" if order == 1 else f"n-gram: {', '.join(NAMES[: order - 1])}"
