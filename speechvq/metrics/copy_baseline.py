"""The least that a model of the next frame must beat: it stays as it was, smoothed."""

from typing import NamedTuple

import numpy as np

EM_ITERATIONS = 200  # of EM; it is one number


class CopyBaseline(NamedTuple):
    """p(code) = stay [code is the one before] + (1 - stay) share of the code."""

    p_copy: float
    code_probs: np.ndarray  # (K,)

    def bits(self, previous: np.ndarray, current: np.ndarray) -> np.ndarray:
        """Bits of every code of a frame, given the frame before: two (...) to (...)."""
        return -np.log2(self.p_copy * (previous == current) + (1 - self.p_copy) * self.code_probs[current])


def fit_copy_baseline(previous: np.ndarray, current: np.ndarray, num_codes: int) -> CopyBaseline:
    """The likeliest weight, by EM (Jelinek and Mercer 1980), and shares smoothed by one count a code.

    Args:
        before: (...), integers in [0, num_codes): codes of frames.
        after: the same shape: those of the frames after them, at the same places.
        num_codes: K.
    """
    counts = np.bincount(current.reshape(-1), minlength=num_codes) + 1.0
    shares = counts / counts.sum()
    kept = np.bincount(current[previous == current], minlength=num_codes)
    stay = 0.5
    for _ in range(EM_ITERATIONS):
        stay = float((kept * stay / (stay + (1 - stay) * shares)).sum() / current.size)
    return CopyBaseline(stay, shares)
