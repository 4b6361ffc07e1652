"""The paper's second stage: a VQ-VAE over the codes of the first (van den Oord et al. 2017, section 4.2).

A 21x21 grid of codes is compressed to three latents of 512 values, each with its own codebook: 27 bits. The
decoder is a PixelCNN over the grid. It is powerful enough to ignore the latents; the experiment shows that it
uses them.
"""

import math
from collections.abc import Callable
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
    """Maps a grid of codes to a few vectors without spatial positions; the layers are our choice."""

    def __init__(self, grid: Grid, channels: int, latents: int, dim: int) -> None:
        super().__init__()
        self.code_embedding = CodeEmbedding(grid, channels)
        self.convolutions = nn.Sequential(
            nn.Conv2d(channels, channels, 4, stride=2, padding=1),
            ResidualBlock(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 4, stride=2, padding=1),
            ResidualBlock(channels),
        )
        positions = (grid.height // 4) * (grid.width // 4)
        self.project = nn.Linear(channels * positions, latents * dim)
        self.normalize = BatchRenorm(latents * dim)
        self.shape = (latents, dim)

    def forward(self, codes: Tensor) -> Tensor:
        """(B, H, W, G) int64 to (B, latents, D)."""
        x = self.convolutions(self.code_embedding(codes).sum(3).permute(0, 3, 1, 2))
        return self.normalize(self.project(x.relu().flatten(1))).unflatten(-1, self.shape)


class GridDecoder(nn.Module):
    """A PixelCNN over grids of codes, conditioned on the vectors of the latents."""

    def __init__(self, grid: Grid, config: SecondStageConfig) -> None:
        super().__init__()
        self.pixelcnn = PixelCNN(config.pixelcnn, grid, config.latents * config.quantizer.dim)

    def nll(self, codes: Tensor, vectors: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats per code, (); arguments as of `nll_per_grid`."""
        return self.nll_per_grid(codes, vectors).mean() / codes[0].numel()

    def nll_per_grid(self, codes: Tensor, vectors: Tensor) -> Tensor:
        """Negative log-likelihood in nats per grid: (B, H, W, G) int64 and (B, latents, D) to (B,)."""
        return self.pixelcnn.nll(codes, vectors.flatten(1))


class SecondStage(VQVAE):
    """A VQ-VAE of grids of codes (B, H, W, G) int64, with codes (B, latents)."""

    encoder: GridEncoder
    decoder: GridDecoder

    def __init__(self, config: SecondStageConfig, grid: Grid, source: str) -> None:
        """
        Args:
            config: sizes and options.
            grid: the shape of an image's codes.
            source: fingerprint of the model that produces the codes.
        """
        super().__init__(
            GridEncoder(grid, config.channels, config.latents, config.quantizer.dim),
            Codebooks(config.quantizer, config.latents),
            GridDecoder(grid, config),
        )
        self.config, self.grid, self.source = config, grid, source

    def nll_bound(self, codes: Tensor) -> Tensor:
        """An upper bound on -log p(codes): -log p(codes | latents), and -log p(latents) of the uniform prior.

        Args:
            codes: (B, H, W, G), int64.

        Returns:
            (B,), nats per grid.
        """
        latents = self.encode(codes)
        latent_nll = latents[0].numel() * math.log(self.config.quantizer.num_codes)
        return self.decoder.nll_per_grid(codes, self.quantizer.lookup(latents)) + latent_nll

    def sample(
        self,
        uniforms: Tensor,
        condition: Tensor,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Sample grids (B, H, W, G) given latents (B, latents); see `SamplingPrior.sample`."""
        vectors = self.quantizer.lookup(condition).flatten(1)
        return sample_grids(
            self.decoder.pixelcnn, uniforms, vectors, temperature=temperature, top_p=top_p, on_step=on_step
        )

    def decode(self, latents: Tensor, *, seed: int = 0) -> Tensor:
        """Sample one grid for each set of latents: (B, latents) to (B, H, W, G), int64."""
        shape = (len(latents), *self.grid.shape)
        uniforms = torch.rand(shape, generator=torch.Generator().manual_seed(seed)).to(latents.device)
        return self.sample(uniforms, latents)


def shuffled(latents: Tensor) -> Tensor:
    """Latents of other grids, taken from half the set away: (B, latents) to the same.

    Neighboring frames of a recording are too similar for this comparison.
    """
    return latents.roll(max(len(latents) // 2, 1), 0)


@torch.no_grad()
def latent_usage_nll(model: SecondStage, codes: Tensor, *, batch: int = 32) -> tuple[Tensor, Tensor]:
    """Negative log-likelihood of grids given their own latents, and given the latents of other grids.

    The difference shows whether the decoder uses the latents.

    Args:
        model: in evaluation mode.
        codes: (N, H, W, G), int64, N > 1.
        batch: grids processed at once; bounds memory.

    Returns:
        (N,) each, nats per grid.
    """
    device = next(model.parameters()).device
    parts = codes.to(device).split(batch)
    latents = torch.cat([model.encode(part) for part in parts])
    results = []
    for chosen in (latents, shuffled(latents)):
        vectors = model.quantizer.lookup(chosen).split(batch)
        nll = [model.decoder.nll_per_grid(part, given) for part, given in zip(parts, vectors)]
        results.append(torch.cat(nll))
    return results[0], results[1]


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
        UserError: there is no second stage, a file is damaged or hostile, or the weights do not fit the
            configuration.
    """

    def build(config: SecondStageConfig, grid: Grid, source: str, _: dict[str, Any]) -> SecondStage:
        return SecondStage(config, grid, source)

    return load_grid_model(folder, "second_stage", "second stage", SecondStageConfig, build)
