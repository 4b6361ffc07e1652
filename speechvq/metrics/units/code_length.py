"""Bits per code of held-out codes under a model of code strings, with a confidence interval."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import bootstrap_interval


class CodeLength(NamedTuple):
    """Mean code length of held-out codes under a model."""

    bits: float  # per code
    low: float  # 95 % interval
    high: float
    bits_per_second: float  # of speech


def code_length(nats: Sequence[np.ndarray], frame_rate_hz: float, *, seed: int = 0) -> CodeLength:
    """Mean negative log-likelihood over all codes, with a bootstrap interval over utterances.

    Args:
        nats: -log p of every code of each utterance, (N,) each.
        frame_rate_hz: codes per second.
        seed: of the bootstrap.

    Raises:
        ValueError: there are no codes.
    """
    sums = np.array([each.sum() for each in nats]) / math.log(2)
    counts = np.array([len(each) for each in nats])
    if not counts.sum():
        raise ValueError("no codes to measure on")
    bits = float(sums.sum() / counts.sum())
    low, high = bootstrap_interval(
        lambda weights: weights @ sums / np.maximum(weights @ counts, 1), len(nats), seed=seed
    )
    return CodeLength(bits, float(low), float(high), bits * frame_rate_hz)
