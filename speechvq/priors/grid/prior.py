"""A PixelCNN as a prior over a model's grids of codes, perhaps told the class; and such a prior on disk."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.errors import UserError
from speechvq.priors.grid.model_directory import load_grid_model, save_grid_model
from speechvq.priors.grid.pixelcnn import Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids
from speechvq.priors.sequence.prior import PriorLosses


class GridPrior(nn.Module):
    """p(codes) or p(codes | class), in nats, and grids drawn from it."""

    def __init__(self, config: PixelCNNConfig, grid: Grid, classes: Sequence[str], source: str) -> None:
        """
        Args:
            config: sizes and options.
            grid: the shape of a picture's codes.
            classes: their names, for a prior that is told the class.
            source: fingerprint of the model whose codes these are.
        """
        super().__init__()
        if config.class_conditional and not classes:
            raise UserError("model.class_conditional=true, and these pictures have no classes; leave it out")
        self.config, self.grid, self.source = config, grid, source
        self.classes = tuple(classes) if config.class_conditional else ()
        self.class_embedding = nn.Embedding(len(self.classes), config.channels) if self.classes else None
        self.pixelcnn = PixelCNN(config, grid, config.channels if self.classes else 0)

    def forward(self, codes: Tensor, labels: Tensor) -> PriorLosses:
        """The loss of codes (B, H, W, G) int64 of classes (B,), at which a prior without does not look."""
        nats = self.nll(codes, labels).mean() / codes[0].numel()
        return PriorLosses(nats, nats.detach())

    def nll(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """-log p(codes), or of codes given classes (B,), nats a grid: (B, H, W, G) to (B,)."""
        return self.pixelcnn.nll(codes, self._condition(labels))

    def sample(
        self,
        count: int,
        labels: Tensor | None = None,
        *,
        seed: int = 0,
        temperature: float = 1.0,
        top_p: float = 1.0,
    ) -> Tensor:
        """Draw grids, (count, H, W, G); grid i depends on the seed and on i alone.

        Args:
            count: how many.
            labels: (count,), their classes, for a prior that is told them.
            seed: of the draws.
            temperature, top_p: sharpen the choice of every code, see `categorical.draw`.
        """
        shape = (self.grid.height, self.grid.width, self.grid.codes_per_position)
        each = [
            torch.rand(shape, generator=torch.Generator().manual_seed(hash((seed, i)))) for i in range(count)
        ]
        uniforms = torch.stack(each).to(self.pixelcnn.head.bias.device)
        return sample_grids(
            self.pixelcnn, uniforms, self._condition(labels), temperature=temperature, top_p=top_p
        )

    def _condition(self, labels: Tensor | None) -> Tensor | None:
        if self.class_embedding is None:
            return None
        if labels is None:
            raise ValueError("this prior must be told the classes")
        return self.class_embedding(labels)


def save_grid_prior(folder: Path, prior: GridPrior) -> None:
    """Write a model directory.

    Raises:
        UserError: the disk is full or not writable.
    """
    save_grid_model(folder, prior, class_names=list(prior.classes))


def load_grid_prior(folder: str | Path) -> GridPrior:
    """Read a prior, in evaluation mode.

    Args:
        folder: the directory, or a run directory that has one in `model/`.

    Raises:
        UserError: no prior over grids; a damaged or hostile file; configuration and weights that differ.
    """

    def build(config: PixelCNNConfig, grid: Grid, source: str, more: dict[str, Any]) -> GridPrior:
        return GridPrior(config, grid, _classes(more["class_names"]), source)

    return load_grid_model(
        folder, "pixelcnn", "prior over grids", PixelCNNConfig, build, more=("class_names",)
    )


def _classes(names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError("class_names: expected a list of names")
    return names
