"""Drawing grids of codes from a PixelCNN: every value is computed once, and kept while others need it.

The vertical stack is computed row by row from the rows it looks back to; its part in the horizontal stack is
ready before the row begins. The horizontal stack is then a few small products a position.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.priors.grid.pixelcnn import GatedLayer, PixelCNN, gate


class _Step(NamedTuple):
    """One layer's weights for one position of the horizontal stack."""

    window: Tensor  # (2 C, (reach + 1) C), the oldest place first
    window_bias: Tensor  # (2 C,)
    out: Tensor  # (C, C)
    out_bias: Tensor  # (C,)


@torch.no_grad()
def sample_grids(
    model: PixelCNN,
    uniforms: Tensor,
    condition: Tensor | None = None,
    guess: Tensor | None = None,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    on_row: Callable[[int], None] | None = None,
) -> Tensor:
    """Draw grids side by side; equal uniforms give equal codes.

    Args:
        model: in evaluation mode.
        uniforms: (B, H, W, G) in [0, 1), one for each code.
        condition: (B, F), (B, H, W, F), or None for a model without.
        guess: (B, H, W, G, K), or None for a model without.
        temperature, top_p: sharpen the choice of every code, see `categorical.draw`.
        on_row: told how many rows are drawn.

    Returns:
        (B, H, W, G), int64.
    """
    sampler = _Sampler(model, len(uniforms), condition, guess)
    rows = []
    for i in range(model.grid.height):
        rows.append(sampler.row(uniforms[:, i], temperature, top_p))
        if on_row is not None:
            on_row(i + 1)
    return torch.stack(rows, 1)


class _Sampler:
    """What is kept between two rows: each layer's last rows of the vertical stack, and the codes' vectors."""

    def __init__(self, model: PixelCNN, batch: int, condition: Tensor | None, guess: Tensor | None) -> None:
        self.model, self.batch, self.guess = model, batch, guess
        self.layers = [layer for layer in model.layers if isinstance(layer, GatedLayer)]
        channels, width, reach = model.config.channels, model.grid.width, model.config.kernel_radius
        self.zeros = model.head.bias.new_zeros(batch, channels)
        empty = self.zeros.new_zeros(batch, channels, reach, width)
        self.above = [empty for _ in self.layers]
        self.before = self.zeros.new_zeros(batch, channels, 1, width)  # the row above, read
        self.told = [
            layer.project_condition(condition) if condition is not None else None for layer in self.layers
        ]
        self.steps = [_step(layer) for layer in self.layers]
        self.drawn = 0  # rows

    def row(self, uniforms: Tensor, temperature: float, top_p: float) -> Tensor:
        """Draw the next row by uniforms (B, W, G): (B, W, G), int64."""
        across = self._vertical()
        history = [[self.zeros] * self.model.config.kernel_radius for _ in self.layers]
        codes, read = [], []
        left = self.zeros
        for j in range(self.model.grid.width):
            context = self._horizontal(left, history, [part[:, :, j] for part in across])
            guess = None if self.guess is None else self.guess[:, self.drawn, j]
            drawn, left = self._draw(context, guess, uniforms[:, j], temperature, top_p)
            codes.append(drawn)
            read.append(left)
        self.before, self.drawn = torch.stack(read, 2).unsqueeze(2), self.drawn + 1
        return torch.stack(codes, 1)

    def _vertical(self) -> list[Tensor]:
        """Move the vertical stack down a row; what it gives each layer's horizontal one, (B, 2 C, W)."""
        reach, value, parts = self.model.config.kernel_radius, self.before, []
        for i, layer in enumerate(self.layers):
            rows = torch.cat([self.above[i], value], 2)
            self.above[i] = rows[:, :, 1:]
            down = layer.vertical(F.pad(rows, (reach, reach)))
            right = layer.vertical_to_horizontal(down)
            if (told := self.told[i]) is not None:
                at = 0 if told[0].shape[2] == 1 else self.drawn
                down, right = (x + part[:, :, at : at + 1] for x, part in zip((down, right), told))
            parts.append(right.squeeze(2))
            value = gate(down)
        return parts

    def _horizontal(self, value: Tensor, history: list[list[Tensor]], across: list[Tensor]) -> Tensor:
        """One position of the horizontal stack: the read code to its left, (B, C), to the context, (B, C)."""
        for step, before, part in zip(self.steps, history, across):
            window = torch.cat([*before, value], 1)
            before.append(value)
            del before[0]
            right = F.linear(window, step.window, step.window_bias) + part
            value = value + F.linear(gate(right), step.out, step.out_bias)
        return value

    def _draw(
        self, context: Tensor, guess: Tensor | None, uniforms: Tensor, temperature: float, top_p: float
    ) -> tuple[Tensor, Tensor]:
        """Draw a position's codes by uniforms (B, G): (B, G), and the sum of their vectors, (B, C)."""
        head, codes, so_far, total = self.model.head, [], self.zeros, self.zeros
        for g in range(self.model.grid.codes_per_position):
            guessed = None if guess is None else guess[:, g]
            logits = head.logits_at(context, so_far, g, guessed)
            codes.append(sample_categorical(logits, uniforms[:, g], temperature, top_p))
            total = total + self.model.code_embedding.embed_one(codes[-1], g)
            if head.code_embedding is not None:
                so_far = so_far + head.code_embedding.embed_one(codes[-1], g)
        return torch.stack(codes, 1), total


def _step(layer: GatedLayer) -> _Step:
    """The layer's weights in the order in which one position uses them."""
    weight = layer.horizontal.weight.squeeze(2)  # (2 C, C, reach + 1)
    assert layer.horizontal.bias is not None and layer.out.bias is not None
    window = weight.transpose(1, 2).flatten(1).contiguous()
    return _Step(window, layer.horizontal.bias, layer.out.weight.flatten(1), layer.out.bias)
