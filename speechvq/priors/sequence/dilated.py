"""The paper's prior over speech codes: a WaveNet, dilated causal convolutions (van den Oord et al. 2016)."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import DilatedStackConfig


class DilatedLayer(nn.Module):
    """tanh(filter) x sigmoid(gate) of frames n and n - dilation, residual and skip; a matrix each pair."""

    def __init__(self, dilation: int, residual: int, skip: int) -> None:
        super().__init__()
        self.dilation, self.residual = dilation, residual
        self.gate = nn.Linear(2 * residual, 2 * residual)
        self.out = nn.Linear(residual, residual + skip)

    def forward(self, x: Tensor, before: Tensor, condition: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """One step up the stack.

        Args:
            x: (B, N, residual).
            before: (B, dilation, residual), the frames that were here before x.
            condition: (B, 1, 2 residual), the gates' bias.

        Returns:
            (B, N, residual) for the next layer, (B, N, skip) for the sum, and the `before` of what follows.
        """
        longer = torch.cat([before, x], dim=1)
        taps = torch.cat([longer[:, : x.shape[1]], x], dim=-1)
        soft, gate = (self.gate(taps) + condition).chunk(2, dim=-1)
        out = self.out(torch.tanh(soft) * torch.sigmoid(gate))
        return x + out[..., : self.residual], out[..., self.residual :], longer[:, x.shape[1] :]


class DilatedStack(nn.Module):
    """All layers of a WaveNet over codes, from a vector a frame to a vector a frame.

    The state is what every layer still has to look back on, so a string may come in pieces of any length,
    single codes included, and the outputs are those of the whole.
    """

    def __init__(self, config: DilatedStackConfig, speaker: int = 0) -> None:
        """
        Args:
            config: sizes.
            speaker: width of a speaker's vector, a bias in every gate; 0 for none.
        """
        super().__init__()
        self.inputs, self.outputs = config.residual_channels, config.hidden_channels
        dilations = [2**i for _ in range(config.stacks) for i in range(config.layers)]
        self.layers = nn.ModuleList(
            DilatedLayer(d, config.residual_channels, config.skip_channels) for d in dilations
        )
        self.voice = (
            nn.Linear(speaker, len(dilations) * 2 * config.residual_channels, bias=False) if speaker else None
        )
        self.hidden = nn.Linear(config.skip_channels, config.hidden_channels)

    @property
    def receptive_field(self) -> int:
        """How many past codes a prediction sees: 1 + the sum of the dilations."""
        return 1 + sum(layer.dilation for layer in self.layers)

    def start(self, streams: int) -> list[Tensor]:
        """The state before the first code: zeros, (B, dilation, residual) for each layer."""
        like = self.hidden.weight
        return [like.new_zeros(streams, layer.dilation, self.inputs) for layer in self.layers]

    def forward(self, x: Tensor, voice: Tensor | None, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Go on from a state.

        Args:
            x: (B, N, inputs).
            voice: (B, speaker), or None.
            state: of `start` or of a call before.

        Returns:
            (B, N, outputs), and the state after x.
        """
        biases = [x.new_zeros(1)] * len(self.layers)
        if self.voice is not None:
            assert voice is not None, "this network is told the speaker"
            biases = self.voice(voice).unsqueeze(1).chunk(len(self.layers), dim=-1)
        total, after = torch.zeros((), device=x.device), []
        for layer, before, bias in zip(self.layers, state, biases):
            x, skip, left = layer(x, before, bias)
            total = total + skip
            after.append(left)
        return F.relu(self.hidden(F.relu(total / math.sqrt(len(self.layers))))), after
