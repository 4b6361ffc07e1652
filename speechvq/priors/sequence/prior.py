"""A prior over code strings: the probability of every code given those before it, and perhaps who speaks.

The paper trains with a uniform prior and fits an autoregressive one afterwards (van den Oord et al. 2017,
section 3); sampled and decoded it is speech from nothing (section 4.3).
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import SequencePriorConfig
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.dilated import DilatedStack
from speechvq.priors.sequence.recurrent import RecurrentStack


class PriorLosses(NamedTuple):
    """What one batch costs."""

    total: Tensor  # (), what is minimised
    nats: Tensor  # (), -log p a code


class PriorState(NamedTuple):
    """Where a string stands: what was written last, and what the network remembers."""

    prev_code: Tensor  # (B, 1), int64, the last code; K before the first
    memory: list[Tensor]


class SequencePrior(nn.Module):
    """p(code | codes before, speaker): a table of code vectors, a causal network, logits.

    Whatever the network, a string may come in pieces: the state of one piece is handed to the next, and the
    logits are those of the whole. Sampling is the same pass with pieces of one code.
    """

    def __init__(
        self, config: SequencePriorConfig, code_spec: CodeSpec, speakers: Sequence[str] = ()
    ) -> None:
        """
        Args:
            config: sizes and options.
            code_spec: what its strings are written in.
            speakers: the voices' names, for a prior that is told the speaker.
        """
        super().__init__()
        self.config, self.code_spec, self.speakers = config, code_spec, tuple(speakers)
        width = config.speaker_dim if speakers else 0
        self.network = (
            DilatedStack(config.wavenet, width)
            if config.network == "wavenet"
            else RecurrentStack(config.gru, width)
        )
        self.code_embedding = nn.Embedding(
            code_spec.num_codes + 1, self.network.inputs
        )  # the last stands for the beginning
        self.speaker_embedding = nn.Embedding(len(speakers), width) if width else None
        self.dropout = nn.Dropout(config.dropout)
        self.to_logits = nn.Linear(self.network.outputs, code_spec.num_codes)

    def initial_state(self, streams: int) -> PriorState:
        """The state before the first code of several strings."""
        before = torch.full((streams, 1), self.code_spec.num_codes, device=self.to_logits.weight.device)
        return PriorState(before, self.network.start(streams))

    def forward(self, codes: Tensor, before: Tensor, speaker: Tensor, length: Tensor) -> PriorLosses:
        """The loss of a batch of crops.

        Args:
            codes: (B, N), int64 in [0, K).
            before: (B,), int64, the code before each crop; K where it begins a string.
            speaker: (B,), int64; not looked at by a prior that is told no speaker.
            length: (B,), how many of the N are the string's own; the others do not count.
        """
        state = PriorState(before.unsqueeze(1), self.network.start(len(codes)))
        logits, _ = self.predict(codes, state, speaker)
        own = torch.arange(codes.shape[1], device=codes.device) < length[:, None]
        nats = F.cross_entropy(logits[own].float(), codes[own])
        return PriorLosses(nats, nats.detach())

    def predict(self, codes: Tensor, state: PriorState, speaker: Tensor) -> tuple[Tensor, PriorState]:
        """Predict a piece of each string, every code from those before it.

        Args:
            codes: (B, N), int64 in [0, K).
            state: of the piece before.
            speaker: (B,), int64.

        Returns:
            (B, N, K), logits, and the state after the piece.
        """
        logits, memory = self._read(torch.cat([state.prev_code, codes[:, :-1]], dim=1), state.memory, speaker)
        return logits, PriorState(codes[:, -1:], memory)

    def predict_next(self, state: PriorState, speaker: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Predict one more code of each string.

        Returns:
            (B, K), logits, and the memory to be joined with the code that is chosen.
        """
        logits, memory = self._read(state.prev_code, state.memory, speaker)
        return logits[:, 0], memory

    def _read(self, before: Tensor, memory: list[Tensor], speaker: Tensor) -> tuple[Tensor, list[Tensor]]:
        voice = self.speaker_embedding(speaker) if self.speaker_embedding is not None else None
        out, memory = self.network(self.code_embedding(before), voice, memory)
        return self.to_logits(self.dropout(out)), memory
