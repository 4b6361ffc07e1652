"""Distances between frames: angles of features, equality of codes."""

from collections.abc import Callable

import numpy as np

# The costs of frames a to b against frames chosen by index: (b - a, chosen).
FrameDistance = Callable[[int, int, np.ndarray], np.ndarray]


def angular(features: np.ndarray) -> FrameDistance:
    """arccos of the cosine, divided by pi: 0 for one direction, 1 for opposite ones.

    A vector of zeros, which has no direction, is taken for one with equal entries, as in fastabx.

    Args:
        features: (M, C), the frames of all utterances.
    """
    unit = _unit(features)

    def distance(start: int, end: int, others: np.ndarray) -> np.ndarray:
        return np.arccos(np.clip(unit[start:end] @ unit[others].T, -1, 1)) / np.pi

    return distance


def codebook_angular(codes: np.ndarray, codebook: np.ndarray) -> FrameDistance:
    """The angular distance of the codes' vectors; exactly 0 between equal codes.

    Args:
        codes: (M,), integers in [0, K), the frames of all utterances.
        codebook: (K, D).
    """
    occurring, ranks = np.unique(codes, return_inverse=True)
    unit = _unit(codebook[occurring])
    table = np.arccos(np.clip(unit @ unit.T, -1, 1)) / np.pi
    table = (table + table.T) / 2
    np.fill_diagonal(table, 0)

    def distance(start: int, end: int, others: np.ndarray) -> np.ndarray:
        return table[ranks[start:end, None], ranks[others]]

    return distance


def identical(codes: np.ndarray) -> FrameDistance:
    """0 between equal codes and 1 between different ones: codes (M,), the frames of all utterances."""

    def distance(start: int, end: int, others: np.ndarray) -> np.ndarray:
        return (codes[start:end, None] != codes[others]).astype(np.float64)

    return distance


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, float64."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1), 1 / np.sqrt(vectors.shape[1]))
