"""A gated PixelCNN over grids of codes.

Van den Oord et al. 2016b, "Conditional image generation with PixelCNN decoders".

Two stacks of convolutions avoid a blind spot: the vertical stack sees all rows above, the horizontal stack
sees the current row up to the left neighbor and receives the vertical stack's features. Instead of masks,
each stack's input is shifted by one row or one position and padded on one side, so no weight is ever
multiplied by a later code. The G codes of a position are predicted in order from the position's context and
the embeddings of the codes before them, as in NADE (Uria et al. 2016).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config.pixelcnn import PixelCNNConfig


class Grid(NamedTuple):
    """The shape of a grid of codes."""

    height: int  # H
    width: int  # W
    codes_per_position: int  # G
    num_codes: int  # K

    @property
    def shape(self) -> tuple[int, int, int]:
        """(H, W, G)."""
        return self.height, self.width, self.codes_per_position


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2 of the paper), with a condition before the gates (eq. 4 and 5)."""

    def __init__(self, channels: int, kernel_radius: int, condition_dim: int) -> None:
        super().__init__()
        self.kernel_radius = kernel_radius
        self.vertical = nn.Conv2d(channels, 2 * channels, (kernel_radius + 1, 2 * kernel_radius + 1))
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, kernel_radius + 1))
        self.vertical_to_horizontal = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.condition_proj = nn.Linear(condition_dim, 4 * channels, bias=False) if condition_dim else None

    def forward(
        self, vertical: Tensor, horizontal: Tensor, condition: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        """Apply the layer.

        Args:
            vertical: (B, C, H, W), features of the vertical stack.
            horizontal: (B, C, H, W), features of the horizontal stack.
            condition: (B, F), (B, H, W, F), or None.

        Returns:
            The features of both stacks, (B, C, H, W) each.
        """
        radius = self.kernel_radius
        down = self.vertical(F.pad(vertical, (radius, radius, radius, 0)))
        right = self.horizontal(F.pad(horizontal, (radius, 0, 0, 0))) + self.vertical_to_horizontal(down)
        if condition is not None:
            down_bias, right_bias = self.project_condition(condition)
            down, right = down + down_bias, right + right_bias
        return gate(down), horizontal + self.out(gate(right))

    def project_condition(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """The condition's terms before the gates.

        Args:
            condition: (B, F) or (B, H, W, F).

        Returns:
            Terms of the vertical and the horizontal stack, (B, 2 C, 1, 1) or (B, 2 C, H, W) each.
        """
        assert self.condition_proj is not None
        spatial = condition if condition.dim() == 4 else condition[:, None, None]
        down_bias, right_bias = self.condition_proj(spatial).permute(0, 3, 1, 2).chunk(2, dim=1)
        return down_bias, right_bias


def gate(x: Tensor) -> Tensor:
    """tanh of the first half of the channels times sigmoid of the second: (B, 2 C, ...) to (B, C, ...)."""
    signal, opening = x.chunk(2, dim=1)
    return signal.tanh() * opening.sigmoid()


class PixelCNN(nn.Module):
    """p(codes | condition), in raster order; the codes of a position follow one another."""

    def __init__(
        self, config: PixelCNNConfig, grid: Grid, condition_dim: int = 0, *, use_prior_logits: bool = False
    ) -> None:
        """
        Args:
            config: sizes.
            grid: the shape of the grids.
            condition_dim: F, width of the condition; 0 for none. A condition is one vector per grid, (B, F),
                or one per position, (B, H, W, F).
            use_prior_logits: accept logits from another predictor, which are added with a learned weight for
                each position; our choice.
        """
        super().__init__()
        self.config, self.grid = config, grid
        channels = config.channels
        self.code_embedding = CodeEmbedding(grid, channels)
        self.layers = nn.ModuleList(
            GatedLayer(channels, config.kernel_radius, condition_dim) for _ in range(config.layers)
        )
        self.head = Head(grid, channels, config.hidden_channels, use_prior_logits=use_prior_logits)

    def forward(
        self, codes: Tensor, condition: Tensor | None = None, prior_logits: Tensor | None = None
    ) -> Tensor:
        """Logits of every code given the codes before it.

        Args:
            codes: (B, H, W, G), int64.
            condition: (B, F), (B, H, W, F), or None for a model without.
            prior_logits: (B, H, W, G, K), or None for a model without.

        Returns:
            (B, H, W, G, K).
        """
        embedded = self.code_embedding(codes).sum(3).permute(0, 3, 1, 2)
        vertical = F.pad(embedded, (0, 0, 1, -1))
        horizontal = F.pad(embedded, (1, -1))
        for layer in self.layers:
            vertical, horizontal = layer(vertical, horizontal, condition)
        return self.head(horizontal.permute(0, 2, 3, 1), codes, prior_logits)

    def nll(
        self, codes: Tensor, condition: Tensor | None = None, prior_logits: Tensor | None = None
    ) -> Tensor:
        """Negative log-likelihood in nats per grid: arguments as of `forward`, to (B,)."""
        logits = self(codes, condition, prior_logits).flatten(0, -2).float()
        return F.cross_entropy(logits, codes.flatten(), reduction="none").view(len(codes), -1).sum(1)


class CodeEmbedding(nn.Module):
    """An embedding of codes, with a separate table for each of the G codes of a position."""

    def __init__(self, grid: Grid, dim: int) -> None:
        super().__init__()
        self.num_codes = grid.num_codes
        self.embedding = nn.Embedding(grid.codes_per_position * grid.num_codes, dim)

    def forward(self, codes: Tensor) -> Tensor:
        """(..., G) int64 to (..., G, C)."""
        index = torch.arange(codes.shape[-1], device=codes.device)
        return self.embedding(codes + index * self.num_codes)

    def embed_one(self, codes: Tensor, index: int) -> Tensor:
        """Embed the code with an index below G of some positions: (...) int64 to (..., C)."""
        return self.embedding(codes + index * self.num_codes)


class Head(nn.Module):
    """Maps a position's context to the logits of its G codes; each also depends on the codes before it."""

    def __init__(self, grid: Grid, channels: int, hidden_channels: int, *, use_prior_logits: bool) -> None:
        super().__init__()
        self.code_embedding = CodeEmbedding(grid, channels) if grid.codes_per_position > 1 else None
        self.index_embedding = nn.Parameter(torch.randn(grid.codes_per_position, channels))
        self.hidden = nn.Linear(channels, hidden_channels)
        weight = torch.randn(grid.codes_per_position, hidden_channels, grid.num_codes)
        self.weight = nn.Parameter(weight / hidden_channels**0.5)
        self.bias = nn.Parameter(torch.zeros(grid.codes_per_position, grid.num_codes))
        self.prior_gate = nn.Linear(channels, grid.codes_per_position) if use_prior_logits else None
        if self.prior_gate is not None:
            nn.init.constant_(self.prior_gate.bias, -3.0)  # the prior logits start with a small weight

    def forward(self, context: Tensor, codes: Tensor, prior_logits: Tensor | None = None) -> Tensor:
        """Logits of all codes of some positions.

        Args:
            context: (..., C).
            codes: (..., G), int64, the positions' codes.
            prior_logits: (..., G, K), or None for a model without.

        Returns:
            (..., G, K).
        """
        features = context.unsqueeze(-2) + self.index_embedding
        if self.code_embedding is not None:
            previous = F.pad(self.code_embedding(codes)[..., :-1, :], (0, 0, 1, 0))
            features = features + previous.cumsum(-2)
        hidden = self.hidden(features.relu()).relu()
        logits = torch.einsum("...gh,ghk->...gk", hidden, self.weight) + self.bias
        if self.prior_gate is not None and prior_logits is not None:
            logits = logits + F.softplus(self.prior_gate(context)).unsqueeze(-1) * prior_logits
        return logits

    def logits_at(
        self, context: Tensor, previous: Tensor, index: int, prior_logits: Tensor | None = None
    ) -> Tensor:
        """Logits of one code of a position, (B, K).

        Args:
            context: (B, C).
            previous: (B, C), the sum of the embeddings of the position's codes before it.
            index: of the code within its position, in [0, G).
            prior_logits: (B, K), or None for a model without.
        """
        hidden = self.hidden((context + self.index_embedding[index] + previous).relu()).relu()
        logits = hidden @ self.weight[index] + self.bias[index]
        if self.prior_gate is not None and prior_logits is not None:
            logits = logits + F.softplus(self.prior_gate(context))[:, index, None] * prior_logits
        return logits
