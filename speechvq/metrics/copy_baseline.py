"""Copy baseline of next-frame prediction: the previous frame, interpolated with code frequencies."""

from typing import NamedTuple

import numpy as np

EM_ITERATIONS = 200


class CopyBaseline(NamedTuple):
    """p(code) = p_copy [code equals the previous code] + (1 - p_copy) code_probs[code]."""

    p_copy: float
    code_probs: np.ndarray  # (K,)

    def bits(self, previous: np.ndarray, current: np.ndarray) -> np.ndarray:
        """Bits of every code given the previous code at the same position: (...) and (...) to (...)."""
        return -np.log2(self.p_copy * (previous == current) + (1 - self.p_copy) * self.code_probs[current])


def fit_copy_baseline(previous: np.ndarray, current: np.ndarray, num_codes: int) -> CopyBaseline:
    """Fit the copy probability by EM (Jelinek and Mercer 1980), and code frequencies with add-one smoothing.

    Args:
        previous: (...), integers in [0, num_codes), codes of frames.
        current: the same shape, codes of the next frames at the same positions.
        num_codes: K.
    """
    counts = np.bincount(current.reshape(-1), minlength=num_codes) + 1.0
    code_probs = counts / counts.sum()
    copied = np.bincount(current[previous == current], minlength=num_codes)
    p_copy = 0.5
    for _ in range(EM_ITERATIONS):
        posterior = copied * p_copy / (p_copy + (1 - p_copy) * code_probs)
        p_copy = float(posterior.sum() / current.size)
    return CopyBaseline(p_copy, code_probs)
