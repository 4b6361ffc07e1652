"""Sampling and likelihood of code sequences as NumPy arrays."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.priors.sequence.prior import SEGMENT, SequenceCondition, SequencePrior


def seeded_uniforms(batch_size: int, length: int, seed: int) -> Tensor:
    """Uniform numbers (B, N), float64 in [0, 1); row i depends on the seed and on i alone."""
    rows = [np.random.default_rng((seed, i)).random(length) for i in range(batch_size)]
    return torch.from_numpy(np.stack(rows))


def sample_codes(
    prior: SequencePrior,
    length: int,
    speakers: Sequence[int],
    *,
    prompt: np.ndarray | None = None,
    seed: int = 0,
    temperature: float = 1.0,
    top_p: float = 1.0,
    on_step: Callable[[int], None] | None = None,
) -> np.ndarray:
    """Sample a batch of code sequences.

    Args:
        prior: in evaluation mode.
        length: N, codes per sequence.
        speakers: index of the speaker of each of the B sequences; ignored by a prior without speakers.
        prompt: (P,), codes that every sequence continues; None to start from nothing.
        seed: sequence i depends on the seed and on i alone, not on the batch size.
        temperature: divides the logits; 0 takes the most likely code.
        top_p: nucleus sampling, see `categorical.sample_categorical`.
        on_step: called with the number of sampled codes per sequence.

    Returns:
        (B, N), int64, the codes after the prompt.
    """
    device = prior.to_logits.weight.device
    prompt_codes = None if prompt is None else torch.from_numpy(np.asarray(prompt, np.int64)).to(device)
    condition = SequenceCondition(torch.tensor(speakers, device=device), prompt_codes)
    uniforms = seeded_uniforms(len(speakers), length, seed).to(device)
    codes = prior.sample(uniforms, condition, temperature=temperature, top_p=top_p, on_step=on_step)
    return codes.cpu().numpy()


@torch.no_grad()
def code_nll(
    prior: SequencePrior, sequences: Sequence[np.ndarray], speakers: Sequence[int]
) -> list[np.ndarray]:
    """Negative log-likelihood of every code of whole sequences, given all codes before it.

    Args:
        prior: in evaluation mode.
        sequences: (N,) each, integers in [0, K); processed as one batch.
        speakers: index of the speaker of each.

    Returns:
        (N,) each, float64, nats.
    """
    device = prior.to_logits.weight.device
    batch = torch.zeros(len(sequences), max(map(len, sequences), default=0), dtype=torch.long)
    for row, sequence in zip(batch, sequences):
        row[: len(sequence)] = torch.from_numpy(np.asarray(sequence, np.int64))
    speaker, state = torch.tensor(speakers, device=device), prior.initial_state(len(sequences))
    parts = []
    for segment in batch.to(device).split(SEGMENT, dim=1):
        logits, state = prior.predict(segment, state, speaker)
        nll = F.cross_entropy(logits.flatten(0, 1).float(), segment.flatten(), reduction="none")
        parts.append(nll.view(segment.shape).double().cpu())
    rows = torch.cat(parts, dim=1).numpy() if parts else np.empty((len(sequences), 0))
    return [row[: len(sequence)] for row, sequence in zip(rows, sequences)]
