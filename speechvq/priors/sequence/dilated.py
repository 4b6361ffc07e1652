"""A WaveNet over codes (van den Oord et al. 2016), the paper's prior of speech codes."""

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import DilatedStackConfig


class DilatedLayer(nn.Module):
    """A gated causal convolution of width 2, with residual and skip outputs."""

    def __init__(self, dilation: int, residual_channels: int, skip_channels: int) -> None:
        super().__init__()
        self.dilation, self.residual_channels = dilation, residual_channels
        self.gate = nn.Linear(2 * residual_channels, 2 * residual_channels)
        self.out = nn.Linear(residual_channels, residual_channels + skip_channels)

    def forward(self, x: Tensor, cache: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Apply the layer to the next N positions.

        Args:
            x: (B, N, residual_channels).
            cache: (B, dilation, residual_channels), the layer's inputs at the positions before x.
            bias: (B, 1, 2 residual_channels), added before the gates.

        Returns:
            The next layer's input (B, N, residual_channels), the skip output (B, N, skip_channels) and the
            cache after x.
        """
        inputs = torch.cat([cache, x], dim=1)
        taps = torch.cat([inputs[:, : x.shape[1]], x], dim=-1)
        signal, gate = (self.gate(taps) + bias).chunk(2, dim=-1)
        out = self.out(torch.tanh(signal) * torch.sigmoid(gate))
        x = x + out[..., : self.residual_channels]
        return x, out[..., self.residual_channels :], inputs[:, taps.shape[1] :]


class DilatedStack(nn.Module):
    """All layers of a WaveNet over codes.

    The state holds each layer's past inputs. A sequence may be processed in segments of any length, single
    codes included; the outputs equal those of the whole sequence.
    """

    def __init__(self, config: DilatedStackConfig, speaker_dim: int = 0) -> None:
        """
        Args:
            config: sizes.
            speaker_dim: width of the speaker embedding, which biases every gate; 0 for none.
        """
        super().__init__()
        self.input_dim, self.output_dim = config.residual_channels, config.hidden_channels
        dilations = [2**i for _ in range(config.stacks) for i in range(config.layers)]
        self.layers = nn.ModuleList(
            DilatedLayer(dilation, config.residual_channels, config.skip_channels) for dilation in dilations
        )
        gate_channels = len(dilations) * 2 * config.residual_channels
        self.speaker_proj = nn.Linear(speaker_dim, gate_channels, bias=False) if speaker_dim else None
        self.hidden = nn.Linear(config.skip_channels, config.hidden_channels)

    @property
    def receptive_field(self) -> int:
        """Number of past codes that a prediction depends on: 1 + the sum of all dilations."""
        return 1 + sum(cast(DilatedLayer, layer).dilation for layer in self.layers)

    def initial_state(self, batch_size: int) -> list[Tensor]:
        """The state before the first code: zeros, (B, dilation, residual_channels) for each layer."""
        like, layers = self.hidden.weight, cast(list[DilatedLayer], self.layers)
        return [like.new_zeros(batch_size, layer.dilation, self.input_dim) for layer in layers]

    def forward(self, x: Tensor, speaker: Tensor | None, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Process the next N positions.

        Args:
            x: (B, N, input_dim).
            speaker: (B, speaker_dim), or None without speakers.
            state: from `initial_state` or from the previous call.

        Returns:
            (B, N, output_dim), and the state after x.
        """
        biases: tuple[Tensor, ...] = (x.new_zeros(1),) * len(self.layers)
        if self.speaker_proj is not None:
            assert speaker is not None, "this network is conditioned on the speaker"
            biases = self.speaker_proj(speaker).unsqueeze(1).chunk(len(self.layers), dim=-1)
        skips, next_state = torch.zeros((), device=x.device), []
        for layer, cache, bias in zip(self.layers, state, biases):
            x, skip, cache = layer(x, cache, bias)
            skips = skips + skip
            next_state.append(cache)
        return F.relu(self.hidden(F.relu(skips / math.sqrt(len(self.layers))))), next_state
