"""How many bits a code costs under a model of code strings, and how sure that number is."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

NUM_RESAMPLES = 1000


class CodeLength(NamedTuple):
    """What a model needs to tell held-out codes."""

    bits: float  # a code
    low: float  # of the interval of 95 %
    high: float
    bits_per_second: float  # of sound


def code_length(nats: Sequence[np.ndarray], frame_rate_hz: float, *, seed: int = 0) -> CodeLength:
    """Mean over all codes, and its interval by the bootstrap over utterances (Efron 1979).

    Args:
        nats: -log p of every code of each utterance, (N,) each.
        frame_rate_hz: codes a second.
        seed: of the bootstrap.

    Raises:
        ValueError: no codes.
    """
    sums = np.array([each.sum() for each in nats]) / math.log(2)
    counts = np.array([len(each) for each in nats])
    if not counts.sum():
        raise ValueError("no codes to measure on")
    bits = float(sums.sum() / counts.sum())
    picks = np.random.default_rng(seed).integers(len(nats), size=(NUM_RESAMPLES, len(nats)))
    drawn = sums[picks].sum(axis=1) / np.maximum(counts[picks].sum(axis=1), 1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return CodeLength(bits, float(low), float(high), bits * frame_rate_hz)
