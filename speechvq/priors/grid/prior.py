"""A PixelCNN as a prior over grids of codes, optionally conditioned on a class."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from speechvq.config.pixelcnn import PixelCNNConfig
from speechvq.errors import UserError
from speechvq.priors.grid.model_directory import load_grid_model, save_grid_model
from speechvq.priors.grid.pixelcnn import Grid, PixelCNN
from speechvq.priors.grid.sampling import sample_grids, seeded_uniforms
from speechvq.priors.interface import PriorLosses


class GridPrior(nn.Module):
    """p(codes), or p(codes | class), over grids of codes."""

    def __init__(self, config: PixelCNNConfig, grid: Grid, classes: Sequence[str], source: str) -> None:
        """
        Args:
            config: sizes and options.
            grid: the shape of an image's codes.
            classes: names of the classes, for a prior that is conditioned on the class.
            source: fingerprint of the model that produces the codes.

        Raises:
            UserError: the prior is conditioned on the class, and there are no classes.
        """
        super().__init__()
        if config.class_conditional and not classes:
            raise UserError("model.class_conditional=true, but the images have no classes; leave it out")
        self.config, self.grid, self.source = config, grid, source
        self.classes = tuple(classes) if config.class_conditional else ()
        self.class_embedding = nn.Embedding(len(self.classes), config.channels) if self.classes else None
        self.pixelcnn = PixelCNN(config, grid, config.channels if self.classes else 0)

    def forward(self, codes: Tensor, labels: Tensor) -> PriorLosses:
        """The loss of a batch.

        Args:
            codes: (B, H, W, G), int64.
            labels: (B,), int64; ignored by a prior without classes.
        """
        nll = self.nll(codes, labels).mean() / codes[0].numel()
        return PriorLosses(nll, nll.detach())

    def nll(self, codes: Tensor, labels: Tensor | None = None) -> Tensor:
        """Negative log-likelihood of codes (B, H, W, G) given classes (B,), nats per grid, (B,)."""
        return self.pixelcnn.nll(codes, self._condition(labels))

    def sample(
        self,
        uniforms: Tensor,
        condition: Tensor | None = None,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Sample grids (B, H, W, G) given classes (B,), or None without; see `SamplingPrior.sample`."""
        return sample_grids(
            self.pixelcnn,
            uniforms,
            self._condition(condition),
            temperature=temperature,
            top_p=top_p,
            on_step=on_step,
        )

    def seeded_uniforms(self, count: int, seed: int) -> Tensor:
        """Uniform numbers (count, H, W, G) on the model's device; grid i depends on seed and i alone."""
        seeds = (hash((seed, i)) for i in range(count))
        return seeded_uniforms(self.grid, seeds).to(self.pixelcnn.head.bias.device)

    def _condition(self, labels: Tensor | None) -> Tensor | None:
        if self.class_embedding is None:
            return None
        if labels is None:
            raise ValueError("this prior is conditioned on the class; give labels")
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
        UserError: there is no prior over grids, a file is damaged or hostile, or the weights do not fit the
            configuration.
    """

    def build(config: PixelCNNConfig, grid: Grid, source: str, more: dict[str, Any]) -> GridPrior:
        return GridPrior(config, grid, _check_class_names(more["class_names"]), source)

    return load_grid_model(
        folder, "pixelcnn", "prior over grids", PixelCNNConfig, build, more=("class_names",)
    )


def _check_class_names(names: object) -> list[str]:
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise UserError("class_names: expected a list of names")
    return names
