"""The image model's training step against the core's matrix products, and sampling of code grids.

The VQ-VAE cifar10_vqvae at the paper's sizes; a PixelCNN over 32x32x1 codes of the sizes of
the configuration cifar10_prior, cached and uncached.
"""

import argparse
import copy
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import roofline
from naive_grids import sample_grids_uncached
from speechvq.config import read_run
from speechvq.config.images import ImageVQConfig
from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.config.runs import ImageVQRun, PixelCNNRun
from speechvq.images.autoencoder import compile_parts
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids
from speechvq.runtime.precision import supports_bf16
from speechvq.training.tasks.images import encoder_of
from timing import REPEATS, alternate, measurement_parser, one_core, rounds, write_part

MODEL, PRIOR = Path("cifar10_vqvae"), Path("cifar10_prior")
GRID = Grid(32, 32, 1, 512)
BATCH = 4  # images per step; the paper's 128 take the same time per image
NAIVE_CODES = 8  # of the 1,024 of a grid; each costs the same


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    return measurement_parser(__doc__)


def main() -> None:
    """Measure in this process."""
    arguments = build_parser().parse_args()
    one_core()
    model, prior = read_run(MODEL), read_run(PRIOR)
    assert isinstance(model, ImageVQRun) and isinstance(prior, PixelCNNRun)
    compiled, repeats = shutil.which("c++") is not None and not arguments.brief, rounds(arguments.brief)
    steps = measure_steps(model.model, BATCH, compiled=compiled, repeats=repeats)
    write_part(arguments.json, steps | measure_sampling(prior.model, GRID, repeats=repeats))


def measure_steps(
    config: ImageVQConfig, batch: int, *, compiled: bool, repeats: int = REPEATS
) -> dict[str, Any]:
    """Training steps in float32, under bfloat16 autocast, and by torch.compile, each in channels_last.

    Args:
        config: of the model.
        batch: images per step.
        compiled: whether to measure torch.compile, which needs a C++ compiler.
        repeats: rounds.
    """
    products = {
        "torch": roofline.Products(lambda a, b: torch.from_numpy(a) @ torch.from_numpy(b)),
        "numpy": roofline.Products(np.matmul),
    }
    torch.manual_seed(0)
    model = ImageVQ(config).train()
    works: dict[str, Callable[[], object]] = {
        "fp32": _step(copy.deepcopy(model), batch),
        "bf16": _step(copy.deepcopy(model), batch, "bf16"),
    }
    if compiled:
        fused = copy.deepcopy(model)
        compile_parts(encoder_of(fused), fused.decoder)
        works["compiled"] = _step(fused, batch)
    seconds = alternate(works | products, repeats)
    best = max(work.operations / seconds[name] for name, work in products.items())
    return {
        "images_per_second": {name: batch / seconds[name] for name in works},
        "share_of_peak": {"images_fp32": training_operations(model) * batch / seconds["fp32"] / best},
        "images_gigaflops": training_operations(model) * batch / seconds["fp32"] / 1e9,
        "images_bf16_in_hardware": supports_bf16(torch.device("cpu")),
    }


def measure_sampling(
    config: PixelCNNConfig, grid: Grid, naive_codes: int = NAIVE_CODES, repeats: int = REPEATS
) -> dict[str, Any]:
    """Grids per second with random weights: cached, and uncached by its first codes."""
    torch.manual_seed(0)
    pixelcnn = PixelCNN(config, grid, 0).eval()
    uniforms = torch.rand(1, grid.height, grid.width, grid.codes_per_position)
    few = min(naive_codes, uniforms.numel())
    seconds = alternate(
        {
            "cached": lambda: sample_grids(pixelcnn, uniforms),
            "naive": lambda: sample_grids_uncached(pixelcnn, uniforms, codes=few),
        },
        repeats,
    )
    rates = {"cached": 1 / seconds["cached"], "naive": few / uniforms.numel() / seconds["naive"]}
    return {"ratios": {"pixelcnn": rates["cached"] / rates["naive"]}, "grids_per_second": {"pixelcnn": rates}}


@torch.no_grad()
def training_operations(model: ImageVQ) -> float:
    """Operations of an image's convolutions in a step: two for each multiply-add, forward and backward.

    The backward pass has gradients of weights and input, except for the first layer, whose input is the
    image.
    """
    counts: list[int] = []

    def count(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        widest = inputs[0] if isinstance(layer, nn.ConvTranspose2d) else output
        positions = widest.shape[2] * widest.shape[3]  # each weight is used once per position
        counts.append(layer.weight.numel() * positions)  # type: ignore[union-attr, operator]

    layers = [layer for layer in model.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    hooks = [layer.register_forward_hook(count) for layer in layers]
    size = model.config.autoencoder.size
    model.eval().elbo(torch.zeros(1, 3, size, size, dtype=torch.uint8))
    model.train()
    for hook in hooks:
        hook.remove()
    return 2.0 * (3 * sum(counts) - counts[0])


def _step(model: ImageVQ, batch: int, precision: str = "fp32") -> Callable[[], Tensor]:
    """One update, as in training.loop."""
    optimizer = torch.optim.Adam(model.parameters(), fused=True)
    size = model.config.autoencoder.size
    pixels = torch.randint(256, (batch, 3, size, size), dtype=torch.uint8)

    def step() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            losses = model(pixels)
        optimizer.zero_grad()
        losses.total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return losses.nats

    return step


if __name__ == "__main__":
    main()
