"""A prior over code sequences: p(code | previous codes, speaker).

The VQ-VAE is trained with a uniform prior; an autoregressive prior is fitted to its codes afterwards (van den
Oord et al. 2017, section 3). Decoding its samples generates speech without an input (section 4.3).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.categorical import sample_categorical
from speechvq.config import SequencePriorConfig
from speechvq.io.names import normalized
from speechvq.priors.interface import PriorLosses
from speechvq.priors.sequence.code_spec import CodeSpec
from speechvq.priors.sequence.dilated import DilatedStack
from speechvq.priors.sequence.recurrent import RecurrentStack

SEGMENT = 512  # codes of a known sequence processed at once; bounds memory


class PriorState(NamedTuple):
    """The state of B sequences between two segments."""

    prev_code: Tensor  # (B, 1), int64, the last code; K before the first
    memory: list[Tensor]  # the network's state


class SequenceCondition(NamedTuple):
    """What sampled sequences are conditioned on."""

    speaker: Tensor  # (B,), int64; ignored by a prior without speakers
    prompt: Tensor | None = None  # (P,), int64, codes that every sequence continues


class SequencePrior(nn.Module):
    """A causal network between a code embedding and a softmax over the next code.

    A sequence may be processed in segments: each segment starts from the state of the one before, and the
    logits equal those of the whole sequence. Sampling uses segments of one code.
    """

    def __init__(
        self, config: SequencePriorConfig, code_spec: CodeSpec, speakers: Sequence[str] = ()
    ) -> None:
        """
        Args:
            config: sizes and options.
            code_spec: the codes that are modeled.
            speakers: names of the speakers, for a prior that is conditioned on the speaker.
        """
        super().__init__()
        self.config, self.code_spec = config, code_spec
        self.speakers = tuple(map(normalized, speakers))
        speaker_dim = config.speaker_dim if speakers else 0
        self.network = (
            DilatedStack(config.wavenet, speaker_dim)
            if config.network == "wavenet"
            else RecurrentStack(config.gru, speaker_dim)
        )
        # The last row stands for the start of a sequence.
        self.code_embedding = nn.Embedding(code_spec.num_codes + 1, self.network.input_dim)
        self.speaker_embedding = nn.Embedding(len(speakers), speaker_dim) if speaker_dim else None
        self.dropout = nn.Dropout(config.dropout)
        self.to_logits = nn.Linear(self.network.output_dim, code_spec.num_codes)

    def initial_state(self, batch_size: int) -> PriorState:
        """The state of B sequences before their first code."""
        device = self.to_logits.weight.device
        prev_code = torch.full((batch_size, 1), self.code_spec.num_codes, device=device)
        return PriorState(prev_code, self.network.initial_state(batch_size))

    def forward(self, codes: Tensor, prev_code: Tensor, speaker: Tensor, length: Tensor) -> PriorLosses:
        """The loss of a batch of crops.

        Args:
            codes: (B, N), int64 in [0, K).
            prev_code: (B,), int64, the code before each crop; K at the start of a sequence.
            speaker: (B,), int64; ignored by a prior without speakers.
            length: (B,), int64, number of valid codes; the padding after them has no loss.
        """
        state = PriorState(prev_code.unsqueeze(1), self.network.initial_state(len(codes)))
        logits, _ = self.predict(codes, state, speaker)
        valid = torch.arange(codes.shape[1], device=codes.device) < length[:, None]
        nll = F.cross_entropy(logits[valid].float(), codes[valid])
        return PriorLosses(nll, nll.detach())

    def predict(self, codes: Tensor, state: PriorState, speaker: Tensor) -> tuple[Tensor, PriorState]:
        """Predict each code of a segment from the codes before it.

        Args:
            codes: (B, N), int64 in [0, K).
            state: after the previous segment.
            speaker: (B,), int64.

        Returns:
            Logits (B, N, K), and the state after the segment.
        """
        inputs = torch.cat([state.prev_code, codes[:, :-1]], dim=1)
        logits, memory = self._logits(inputs, state.memory, speaker)
        return logits, PriorState(codes[:, -1:], memory)

    def predict_next(self, state: PriorState, speaker: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Predict the next code of each sequence.

        Args:
            state: of the sequences.
            speaker: (B,), int64.

        Returns:
            Logits (B, K), and the memory that forms the next state together with the chosen code.
        """
        logits, memory = self._logits(state.prev_code, state.memory, speaker)
        return logits[:, 0], memory

    @torch.no_grad()
    def sample(
        self,
        uniforms: Tensor,
        condition: SequenceCondition,
        *,
        temperature: float = 1.0,
        top_p: float = 1.0,
        on_step: Callable[[int], None] | None = None,
    ) -> Tensor:
        """Sample the N codes after the prompt from uniforms (B, N); see `SamplingPrior.sample`."""
        speaker, state = condition.speaker, self.initial_state(len(uniforms))
        for segment in () if condition.prompt is None else condition.prompt.split(SEGMENT):
            if len(segment):
                _, state = self.predict(segment.expand(len(speaker), -1), state, speaker)
        codes = torch.empty(uniforms.shape, dtype=torch.long, device=uniforms.device)
        for n in range(uniforms.shape[1]):
            logits, memory = self.predict_next(state, speaker)
            codes[:, n] = sample_categorical(logits, uniforms[:, n], temperature, top_p)
            state = PriorState(codes[:, n : n + 1], memory)
            if on_step is not None:
                on_step(n + 1)
        return codes

    def _logits(self, inputs: Tensor, memory: list[Tensor], speaker: Tensor) -> tuple[Tensor, list[Tensor]]:
        embedded = self.speaker_embedding(speaker) if self.speaker_embedding is not None else None
        out, memory = self.network(self.code_embedding(inputs), embedded, memory)
        return self.to_logits(self.dropout(out)), memory
