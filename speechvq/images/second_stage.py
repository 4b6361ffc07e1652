"""The paper's second stage (van den Oord et al. 2017, section 4.2): a grid of codes into a few more codes.

The whole of a 21x21 grid becomes three latents of 512 values, each with an embedding space of its own: 27
bits. The decoder is a PixelCNN over the grid, which could do without latents; that it uses them is what the
experiment shows.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speechvq.config.pixelcnn import SecondStageConfig
from speechvq.images.autoencoder import ResidualBlock
from speechvq.images.codebooks import Codebooks
from speechvq.normalization import BatchRenorm
from speechvq.priors.grid.model_directory import load_grid_model, save_grid_model
from speechvq.priors.grid.pixelcnn import CodeEmbedding, Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids
from speechvq.vqvae import VQVAE


class GridEncoder(nn.Module):
    """A grid of codes to a few vectors without a place; the layers are our choice."""

    def __init__(self, grid: Grid, units: int, latents: int, dim: int) -> None:
        super().__init__()
        self.code_embedding = CodeEmbedding(grid, units)
        down = [nn.Conv2d(units, units, 4, stride=2, padding=1), ResidualBlock(units), nn.ReLU()]
        self.convolutions = nn.Sequential(
            *down, nn.Conv2d(units, units, 4, stride=2, padding=1), ResidualBlock(units)
        )
        positions = (grid.height // 4) * (grid.width // 4)
        self.project = nn.Linear(units * positions, latents * dim)
        self.normalize = BatchRenorm(latents * dim)
        self.shape = (latents, dim)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, H, W, G) int64 to (B, latents, D)."""
        x = self.convolutions(self.code_embedding(codes).sum(3).permute(0, 3, 1, 2))
        return self.normalize(self.project(x.relu().flatten(1))).unflatten(-1, self.shape)


class GridDecoder(nn.Module):
    """A PixelCNN that is told the latents' vectors, as a likelihood of grids."""

    def __init__(self, grid: Grid, config: SecondStageConfig) -> None:
        super().__init__()
        self.pixelcnn = PixelCNN(config.pixelcnn, grid, config.latents * config.quantizer.dim)

    def nll(self, codes: Tensor, vectors: Tensor) -> Tensor:
        """-log p(codes | vectors), nats a code, (): what a VQVAE asks of its decoder."""
        return self.nll_per_grid(codes, vectors).mean() / codes[0].numel()

    def nll_per_grid(self, codes: Tensor, vectors: Tensor) -> Tensor:
        """-log p(codes | vectors), nats a grid: (B, H, W, G) and (B, latents, D) to (B,)."""
        return self.pixelcnn.nll(codes, vectors.flatten(1))


class SecondStage(VQVAE):
    """A VQVAE whose x are grids of codes, (B, H, W, G) int64, and whose codes are (B, latents)."""

    encoder: GridEncoder
    decoder: GridDecoder

    def __init__(self, config: SecondStageConfig, grid: Grid, source: str) -> None:
        """
        Args:
            config: sizes and options.
            grid: the shape of a picture's codes.
            source: fingerprint of the model whose codes these are.
        """
        super().__init__(
            GridEncoder(grid, config.channels, config.latents, config.quantizer.dim),
            Codebooks(config.quantizer, config.latents),
            GridDecoder(grid, config),
        )
        self.config, self.grid, self.source = config, grid, source

    def nll_bound(self, codes: Tensor) -> Tensor:
        """What telling grids costs, a bound on -log p(codes): (B, H, W, G) int64 to nats a grid, (B,).

        Their latents under the uniform prior, and the grids given those.
        """
        latents = self.encode(codes)
        told = latents[0].numel() * math.log(self.config.quantizer.num_codes)
        return self.decoder.nll_per_grid(codes, self.quantizer.lookup(latents)) + told

    def decode(self, latents: Tensor, *, seed: int = 0) -> Tensor:
        """Draw a grid for each set of latents: (B, latents) to (B, H, W, G), int64."""
        shape = (len(latents), self.grid.height, self.grid.width, self.grid.codes_per_position)
        uniforms = torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(latents.device)
        return sample_grids(self.decoder.pixelcnn, uniforms, self.quantizer.lookup(latents).flatten(1))


def shuffled(latents: Tensor) -> Tensor:
    """Every grid gets the latents of another one, from half the set away: (B, latents) to the same.

    Neighbours would say too little: in a recording they are much alike.
    """
    return latents.roll(max(len(latents) // 2, 1), 0)


@torch.no_grad()
def latent_usage_nll(model: SecondStage, codes: Tensor, *, at_once: int = 32) -> tuple[Tensor, Tensor]:
    """Whether the decoder listens: nats a grid, (B,) each, with its own latents and with another grid's.

    Args:
        model: in evaluation mode.
        codes: (B, H, W, G), int64, of two grids at least.
        at_once: grids measured at once; bounds memory.
    """
    device = next(model.parameters()).device
    parts = codes.to(device).split(at_once)
    latents = torch.cat([model.encode(part) for part in parts])
    each = []
    for chosen in (latents, shuffled(latents)):
        vectors = model.quantizer.lookup(chosen).split(at_once)
        each.append(torch.cat([model.decoder.nll_per_grid(part, some) for part, some in zip(parts, vectors)]))
    return each[0], each[1]


def save_second_stage(folder: Path, model: SecondStage) -> None:
    """Write a model directory.

    Raises:
        UserError: the disk is full or not writable.
    """
    save_grid_model(folder, model)


def load_second_stage(folder: str | Path) -> SecondStage:
    """Read a second stage, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: no second stage; a damaged or hostile file; configuration and weights that differ.
    """

    def build(config: SecondStageConfig, grid: Grid, source: str, _: dict[str, Any]) -> SecondStage:
        return SecondStage(config, grid, source)

    return load_grid_model(folder, "second_stage", "second stage", SecondStageConfig, build)
