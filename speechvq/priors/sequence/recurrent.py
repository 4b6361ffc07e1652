"""A recurrent network over codes: gated recurrent units (Cho et al. 2014)."""

import torch
from torch import Tensor, nn

from speechvq.config import RecurrentStackConfig


class RecurrentStack(nn.Module):
    """GRU layers over codes; the state is their hidden vectors."""

    def __init__(self, config: RecurrentStackConfig, speaker_dim: int = 0) -> None:
        """
        Args:
            config: sizes.
            speaker_dim: width of the speaker embedding, appended to every input; 0 for none.
        """
        super().__init__()
        self.input_dim = self.output_dim = config.hidden_size
        self.gru = nn.GRU(
            config.hidden_size + speaker_dim, config.hidden_size, config.layers, batch_first=True
        )

    def initial_state(self, batch_size: int) -> list[Tensor]:
        """The state before the first code: zeros, (layers, B, hidden_size)."""
        like = next(self.gru.parameters())
        return [like.new_zeros(self.gru.num_layers, batch_size, self.gru.hidden_size)]

    def forward(self, x: Tensor, speaker: Tensor | None, state: list[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Process the next N positions.

        Args:
            x: (B, N, input_dim).
            speaker: (B, speaker_dim), or None without speakers.
            state: from `initial_state` or from the previous call.

        Returns:
            (B, N, output_dim), and the state after x.
        """
        if speaker is not None:
            x = torch.cat([x, speaker.unsqueeze(1).expand(-1, x.shape[1], -1)], dim=-1)
        out, hidden = self.gru(x, state[0])
        return out, [hidden]
