"""A gated PixelCNN over grids of codes.

Van den Oord et al. 2016b, "Conditional image generation with PixelCNN decoders".

Two stacks of convolutions, so that nothing is in a blind spot: the vertical one sees all rows above, the
horizontal one the row so far and, through it, the vertical one. There are no masks: each stack's input is
shifted by a row or a place, and each window ends where it stands, so no weight ever meets a code that comes
later. Several codes at a position follow one another after the position's context is known, by running sums
over those before (as in NADE, Uria et al. 2016).
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config.pixelcnn import PixelCNNConfig


class Grid(NamedTuple):
    """The shape of what is modelled: (height, width, per_position) codes below num_codes."""

    height: int
    width: int
    codes_per_position: int  # G
    num_codes: int  # K


class GatedLayer(nn.Module):
    """One layer of both stacks (figure 2 of that paper), with a condition before the gates (eq. 4 and 5)."""

    def __init__(self, channels: int, kernel_radius: int, condition: int) -> None:
        super().__init__()
        self.kernel_radius = kernel_radius
        self.vertical = nn.Conv2d(channels, 2 * channels, (kernel_radius + 1, 2 * kernel_radius + 1))
        self.horizontal = nn.Conv2d(channels, 2 * channels, (1, kernel_radius + 1))
        self.vertical_to_horizontal = nn.Conv2d(2 * channels, 2 * channels, 1)
        self.out = nn.Conv2d(channels, channels, 1)
        self.condition_proj = nn.Linear(condition, 4 * channels, bias=False) if condition else None

    def forward(self, above: Tensor, left: Tensor, condition: Tensor | None) -> tuple[Tensor, Tensor]:
        """Both stacks' values, (B, C, H, W) each, and the condition or None, to the next layer's."""
        reach = self.kernel_radius
        down = self.vertical(F.pad(above, (reach, reach, reach, 0)))
        right = self.horizontal(F.pad(left, (reach, 0, 0, 0))) + self.vertical_to_horizontal(down)
        if condition is not None:
            for_down, for_right = self.project_condition(condition)
            down, right = down + for_down, right + for_right
        return gate(down), left + self.out(gate(right))

    def project_condition(self, condition: Tensor) -> tuple[Tensor, Tensor]:
        """What a condition adds before either gate.

        Args:
            condition: (B, F), or (B, H, W, F).

        Returns:
            For the vertical and the horizontal stack, (B, 2 C, 1, 1) or (B, 2 C, H, W) each.
        """
        assert self.condition_proj is not None
        everywhere = condition if condition.dim() == 4 else condition[:, None, None]
        for_down, for_right = self.condition_proj(everywhere).permute(0, 3, 1, 2).chunk(2, dim=1)
        return for_down, for_right


def gate(x: Tensor) -> Tensor:
    """tanh of one half of the channels times sigmoid of the other: (B, 2 C, ...) to (B, C, ...)."""
    shape, opening = x.chunk(2, dim=1)
    return shape.tanh() * opening.sigmoid()


class PixelCNN(nn.Module):
    """p(codes | condition): rows from above, positions from the left, codes of a position in order."""

    def __init__(
        self, config: PixelCNNConfig, grid: Grid, condition: int = 0, *, guessed: bool = False
    ) -> None:
        """
        Args:
            config: sizes.
            grid: what is modelled.
            condition: F, width of what codes are told besides; 0 for nothing. One vector may be told to all
                of a grid's codes, (B, F), or to every position its own, (B, H, W, F).
            guessed: whether each code's logits are guessed beforehand by something else, which is believed as
                far as the codes so far bear it out; our choice.
        """
        super().__init__()
        self.config, self.grid = config, grid
        channels = config.channels
        self.code_embedding = CodeEmbedding(grid, channels)
        self.layers = nn.ModuleList(
            GatedLayer(channels, config.kernel_radius, condition) for _ in range(config.layers)
        )
        self.head = Head(grid, channels, config.hidden_channels, guessed=guessed)

    def forward(self, codes: Tensor, condition: Tensor | None = None, guess: Tensor | None = None) -> Tensor:
        """Logits of every code given those before.

        Args:
            codes: (B, H, W, G), int64.
            condition: what is told, or None.
            guess: (B, H, W, G, K), or None for a model without.

        Returns:
            (B, H, W, G, K).
        """
        read = self.code_embedding(codes).sum(3).permute(0, 3, 1, 2)
        above = F.pad(read, (0, 0, 1, -1))
        left = F.pad(read, (1, -1))
        for layer in self.layers:
            above, left = layer(above, left, condition)
        return self.head(left.permute(0, 2, 3, 1), codes, guess)

    def nll(self, codes: Tensor, condition: Tensor | None = None, guess: Tensor | None = None) -> Tensor:
        """-log p(codes | condition, guess), nats a grid: arguments as of `forward`, to (B,)."""
        logits = self(codes, condition, guess).flatten(0, -2).float()
        return F.cross_entropy(logits, codes.flatten(), reduction="none").view(len(codes), -1).sum(1)


class CodeEmbedding(nn.Module):
    """A vector for every code, of every one of a position's G codes its own table."""

    def __init__(self, grid: Grid, width: int) -> None:
        super().__init__()
        self.num_codes = grid.num_codes
        self.embedding = nn.Embedding(grid.codes_per_position * grid.num_codes, width)

    def forward(self, codes: Tensor) -> Tensor:
        """(..., G) int64 to (..., G, C)."""
        places = torch.arange(codes.shape[-1], device=codes.device)
        return self.embedding(codes + places * self.num_codes)

    def embed_one(self, codes: Tensor, place: int) -> Tensor:
        """The vectors of a position's code number `place`: (...) int64 to (..., C)."""
        return self.embedding(codes + place * self.num_codes)


class Head(nn.Module):
    """From a position's context to the logits of its codes, each told those before it at that position."""

    def __init__(self, grid: Grid, channels: int, hidden: int, *, guessed: bool = False) -> None:
        super().__init__()
        self.code_embedding = CodeEmbedding(grid, channels) if grid.codes_per_position > 1 else None
        self.place = nn.Parameter(torch.randn(grid.codes_per_position, channels))
        self.hidden = nn.Linear(channels, hidden)
        self.weight = nn.Parameter(torch.randn(grid.codes_per_position, hidden, grid.num_codes) / hidden**0.5)
        self.bias = nn.Parameter(torch.zeros(grid.codes_per_position, grid.num_codes))
        self.prior_gate = nn.Linear(channels, grid.codes_per_position) if guessed else None
        if self.prior_gate is not None:
            nn.init.constant_(self.prior_gate.bias, -3.0)  # a guess is hardly believed, to begin with

    def forward(self, context: Tensor, codes: Tensor, guess: Tensor | None = None) -> Tensor:
        """(..., C), all codes of the position, (..., G), and perhaps a guess, (..., G, K), to (..., G, K)."""
        said = context.unsqueeze(-2) + self.place
        if self.code_embedding is not None:
            said = said + F.pad(self.code_embedding(codes)[..., :-1, :], (0, 0, 1, 0)).cumsum(-2)
        hidden = self.hidden(said.relu()).relu()
        logits = torch.einsum("...gh,ghk->...gk", hidden, self.weight) + self.bias
        if self.prior_gate is not None and guess is not None:
            logits = logits + F.softplus(self.prior_gate(context)).unsqueeze(-1) * guess
        return logits

    def logits_at(self, context: Tensor, so_far: Tensor, place: int, guess: Tensor | None = None) -> Tensor:
        """Logits of one code, (B, K).

        Args:
            context: (B, C).
            so_far: (B, C), the sum of the vectors of the position's codes before it.
            place: its number in the position.
            guess: (B, K), or None for a model without.
        """
        hidden = self.hidden((context + self.place[place] + so_far).relu()).relu()
        logits = hidden @ self.weight[place] + self.bias[place]
        if self.prior_gate is not None and guess is not None:
            logits = logits + F.softplus(self.prior_gate(context))[:, place, None] * guess
        return logits
