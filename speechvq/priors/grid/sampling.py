"""Sampling grids of codes from a PixelCNN with caches, so that each feature is computed once.

The vertical stack advances row by row, from a cache of the rows within its kernels. Its terms for the
horizontal stack are ready before a row starts; the horizontal stack then takes a few small matrix products
for each position.
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.priors.grid.pixelcnn import GatedLayer, Grid, PixelCNN, gate


class _StepWeights(NamedTuple):
    """One layer's weights for one position of the horizontal stack."""

    window: Tensor  # (2 C, (kernel_radius + 1) C), the oldest position first
    window_bias: Tensor  # (2 C,)
    out: Tensor  # (C, C)
    out_bias: Tensor  # (C,)


def seeded_uniforms(grid: Grid, seeds: Iterable[int]) -> Tensor:
    """Uniform numbers (B, H, W, G) in [0, 1), one grid for each seed."""
    return torch.stack(
        [torch.rand(grid.shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds]
    )


@torch.no_grad()
def sample_grids(
    model: PixelCNN,
    uniforms: Tensor,
    condition: Tensor | None = None,
    prior_logits: Tensor | None = None,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    on_step: Callable[[int], None] | None = None,
) -> Tensor:
    """Sample a batch of grids; equal uniforms give equal codes.

    Args:
        model: in evaluation mode.
        uniforms: (B, H, W, G) in [0, 1), one for each code.
        condition: (B, F), (B, H, W, F), or None for a model without.
        prior_logits: (B, H, W, G, K), or None for a model without.
        temperature: divides the logits; 0 takes the most likely code.
        top_p: nucleus sampling, see `categorical.sample_categorical`.
        on_step: called with the number of finished rows.

    Returns:
        (B, H, W, G), int64.
    """
    sampler = _RowSampler(model, len(uniforms), condition, prior_logits)
    rows = []
    for i in range(model.grid.height):
        rows.append(sampler.next_row(uniforms[:, i], temperature, top_p))
        if on_step is not None:
            on_step(i + 1)
    return torch.stack(rows, 1)


class _RowSampler:
    """Samples row by row; caches the last rows of each vertical layer and the last row's embeddings."""

    def __init__(
        self, model: PixelCNN, batch: int, condition: Tensor | None, prior_logits: Tensor | None
    ) -> None:
        self.model, self.batch, self.prior_logits = model, batch, prior_logits
        self.layers = [layer for layer in model.layers if isinstance(layer, GatedLayer)]
        channels, width, radius = model.config.channels, model.grid.width, model.config.kernel_radius
        self.zeros = model.head.bias.new_zeros(batch, channels)
        self.vertical_cache = [self.zeros.new_zeros(batch, channels, radius, width) for _ in self.layers]
        self.last_row = self.zeros.new_zeros(batch, channels, 1, width)  # embedded
        self.biases = [
            layer.project_condition(condition) if condition is not None else None for layer in self.layers
        ]
        self.weights = [_step_weights(layer) for layer in self.layers]
        self.row = 0

    def next_row(self, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
        """Sample the next row with uniforms (B, W, G): (B, W, G), int64."""
        from_above = self._advance_vertical()
        windows = [[self.zeros] * self.model.config.kernel_radius for _ in self.layers]
        codes, embedded = [], []
        left = self.zeros
        for j in range(self.model.grid.width):
            context = self._horizontal(left, windows, [part[:, :, j] for part in from_above])
            prior_logits = None if self.prior_logits is None else self.prior_logits[:, self.row, j]
            drawn, left = self._draw(context, prior_logits, uniforms[:, j], temperature, top_p)
            codes.append(drawn)
            embedded.append(left)
        self.last_row, self.row = torch.stack(embedded, 2).unsqueeze(2), self.row + 1
        return torch.stack(codes, 1)

    def _advance_vertical(self) -> list[Tensor]:
        """Advance the vertical stack by a row; each layer's terms for the horizontal stack, (B, 2 C, W)."""
        radius, value, terms = self.model.config.kernel_radius, self.last_row, []
        for i, layer in enumerate(self.layers):
            rows = torch.cat([self.vertical_cache[i], value], 2)
            self.vertical_cache[i] = rows[:, :, 1:]
            down = layer.vertical(F.pad(rows, (radius, radius)))
            right = layer.vertical_to_horizontal(down)
            if (biases := self.biases[i]) is not None:
                at = 0 if biases[0].shape[2] == 1 else self.row
                down, right = (x + bias[:, :, at : at + 1] for x, bias in zip((down, right), biases))
            terms.append(right.squeeze(2))
            value = gate(down)
        return terms

    def _horizontal(self, value: Tensor, windows: list[list[Tensor]], from_above: list[Tensor]) -> Tensor:
        """One position of the horizontal stack: left neighbor's embedding (B, C) to the context (B, C)."""
        for weights, window, term in zip(self.weights, windows, from_above):
            inputs = torch.cat([*window, value], 1)
            window.append(value)
            del window[0]
            right = F.linear(inputs, weights.window, weights.window_bias) + term
            value = value + F.linear(gate(right), weights.out, weights.out_bias)
        return value

    def _draw(
        self,
        context: Tensor,
        prior_logits: Tensor | None,
        uniforms: Tensor,
        temperature: float,
        top_p: float,
    ) -> tuple[Tensor, Tensor]:
        """Draw a position's codes with uniforms (B, G): (B, G), and the sum of their embeddings, (B, C)."""
        head, codes, previous, total = self.model.head, [], self.zeros, self.zeros
        for g in range(self.model.grid.codes_per_position):
            given = None if prior_logits is None else prior_logits[:, g]
            logits = head.logits_at(context, previous, g, given)
            codes.append(sample_categorical(logits, uniforms[:, g], temperature, top_p))
            total = total + self.model.code_embedding.embed_one(codes[-1], g)
            if head.code_embedding is not None:
                previous = previous + head.code_embedding.embed_one(codes[-1], g)
        return torch.stack(codes, 1), total


def _step_weights(layer: GatedLayer) -> _StepWeights:
    """The layer's weights in the order in which one position uses them."""
    weight = layer.horizontal.weight.squeeze(2)  # (2 C, C, kernel_radius + 1)
    assert layer.horizontal.bias is not None and layer.out.bias is not None
    window = weight.transpose(1, 2).flatten(1).contiguous()
    return _StepWeights(window, layer.horizontal.bias, layer.out.weight.flatten(1), layer.out.bias)
