"""The least that a model of the next frame must beat: it stays as it was, smoothed."""

from typing import NamedTuple

import numpy as np

ROUNDS = 200  # of EM; it is one number


class CopyModel(NamedTuple):
    """p(code) = stay [code is the one before] + (1 - stay) share of the code."""

    stay: float
    shares: np.ndarray  # (K,)

    def bits(self, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """Bits of every code of a frame, given the frame before: two (...) to (...)."""
        return -np.log2(self.stay * (before == after) + (1 - self.stay) * self.shares[after])


def fit_copy(before: np.ndarray, after: np.ndarray, num_codes: int) -> CopyModel:
    """The likeliest weight, by EM (Jelinek and Mercer 1980), and shares smoothed by one count a code.

    Args:
        before: (...), integers in [0, num_codes): codes of frames.
        after: the same shape: those of the frames after them, at the same places.
        num_codes: K.
    """
    counts = np.bincount(after.reshape(-1), minlength=num_codes) + 1.0
    shares = counts / counts.sum()
    kept = np.bincount(after[before == after], minlength=num_codes)
    stay = 0.5
    for _ in range(ROUNDS):
        stay = float((kept * stay / (stay + (1 - stay) * shares)).sum() / after.size)
    return CopyModel(stay, shares)
