"""Code strings from a prior: drawn code by code, or measured; memory does not grow with their length."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.priors.sequence.prior import PriorState, SequencePrior

PIECE = 512  # codes that are read at once


@torch.no_grad()
def sample_codes(
    prior: SequencePrior,
    frames: int,
    speakers: Sequence[int],
    *,
    prompt: np.ndarray | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    on_frame: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Draw code strings side by side.

    Args:
        prior: in evaluation mode.
        frames: N, how many codes each gets.
        speakers: number of the voice of each of the B strings; not looked at by a prior that is told none.
        prompt: (P,), codes that every string continues; None to begin from nothing.
        seed: string i is drawn by this seed and i alone, so it does not depend on how many there are.
        temperature, top_p: sharpen the choice of every code, see `categorical.draw`.
        on_frame: told how many codes are drawn.

    Returns:
        (B, N), int64: what follows the prompt.
    """
    device = prior.to_logits.weight.device
    speaker, state = torch.tensor(speakers, device=device), prior.initial_state(len(speakers))
    if prompt is not None and len(prompt):
        state = _read_prompt(prior, torch.from_numpy(np.asarray(prompt, np.int64)).to(device), state, speaker)
    chances = [np.random.default_rng((seed, i)) for i in range(len(speakers))]
    codes = np.empty((len(speakers), frames), np.int64)
    for first in range(0, frames, PIECE):
        last = min(first + PIECE, frames)
        uniforms = torch.from_numpy(np.stack([chance.random(last - first) for chance in chances])).to(device)
        drawn = []
        for uniform in uniforms.t():
            logits, memory = prior.predict_next(state, speaker)
            drawn.append(sample_categorical(logits, uniform, temperature, top_p))
            state = PriorState(drawn[-1][:, None], memory)
        codes[:, first:last] = torch.stack(drawn, dim=1).cpu().numpy()
        if on_frame is not None:
            on_frame(last)
    return codes


def _read_prompt(prior: SequencePrior, prompt: Tensor, state: PriorState, speaker: Tensor) -> PriorState:
    """The state after codes (P,) that all strings begin with."""
    for piece in prompt.split(PIECE):
        _, state = prior.predict(piece.expand(len(speaker), -1), state, speaker)
    return state


@torch.no_grad()
def code_nll(
    prior: SequencePrior, strings: Sequence[np.ndarray], speakers: Sequence[int]
) -> list[np.ndarray]:
    """-log p of every code of whole strings, given all codes before it.

    Args:
        prior: in evaluation mode.
        strings: (N,) each, integers in [0, K); read side by side.
        speakers: number of the voice of each.

    Returns:
        (N,) each, float64, nats.
    """
    device = prior.to_logits.weight.device
    batch = torch.zeros(len(strings), max(map(len, strings), default=0), dtype=torch.long)
    for row, string in zip(batch, strings):
        row[: len(string)] = torch.from_numpy(np.asarray(string, np.int64))
    speaker, state, pieces = torch.tensor(speakers, device=device), prior.initial_state(len(strings)), []
    for piece in batch.to(device).split(PIECE, dim=1):
        logits, state = prior.predict(piece, state, speaker)
        nats = F.cross_entropy(logits.flatten(0, 1).float(), piece.flatten(), reduction="none")
        pieces.append(nats.view(piece.shape).double().cpu())
    rows = torch.cat(pieces, dim=1).numpy() if pieces else np.empty((len(strings), 0))
    return [row[: len(string)] for row, string in zip(rows, strings)]
