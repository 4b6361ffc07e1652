"""A prior with a memory of its own instead of a window: gated recurrent units (Cho et al. 2014)."""

import torch
from torch import Tensor, nn

from speechvq.config import RecurrentStackConfig


class RecurrentStack(nn.Module):
    """GRU layers, from a vector a frame to a vector a frame; the state is their hidden units."""

    def __init__(self, config: RecurrentStackConfig, speaker: int = 0) -> None:
        """
        Args:
            config: sizes.
            speaker: width of a speaker's vector, a further input of every frame; 0 for none.
        """
        super().__init__()
        self.inputs = self.outputs = config.hidden_size
        self.gru = nn.GRU(config.hidden_size + speaker, config.hidden_size, config.layers, batch_first=True)

    def start(self, streams: int) -> list[Tensor]:
        """The state before the first code: zeros, (layers, B, hidden)."""
        return [self.gru.weight_hh_l0.new_zeros(self.gru.num_layers, streams, self.gru.hidden_size)]

    def forward(self, x: Tensor, voice: Tensor | None, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Go on from a state.

        Args:
            x: (B, N, inputs).
            voice: (B, speaker), or None.
            state: of `start` or of a call before.

        Returns:
            (B, N, outputs), and the state after x.
        """
        if voice is not None:
            x = torch.cat([x, voice.unsqueeze(1).expand(-1, x.shape[1], -1)], dim=-1)
        out, after = self.gru(x, state[0])
        return out, [after]
