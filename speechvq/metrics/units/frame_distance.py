"""Distances between frames: angular distance of vectors, and equality of codes."""

from collections.abc import Callable

import numpy as np

# distance(frames, others): distances between the frames of these numbers, (n,) and (M',), to (n, M').
FrameDistance = Callable[[np.ndarray, np.ndarray], np.ndarray]


def angular(features: np.ndarray) -> FrameDistance:
    """Angular distance: arccos of the cosine similarity, divided by pi; between 0 and 1.

    A zero vector has no direction and is replaced by a vector of equal entries, as in fastabx.

    Args:
        features: (M, C), frames of all utterances.
    """
    unit = _unit(features)

    def distance(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
        return np.arccos(np.clip(unit[frames] @ unit[others].T, -1, 1)) / np.pi

    return distance


def codebook_angular(codes: np.ndarray, codebook: np.ndarray) -> FrameDistance:
    """Angular distance between the codebook entries of two frames; exactly 0 for equal codes.

    Args:
        codes: (M,), integers in [0, K), frames of all utterances.
        codebook: (K, D).
    """
    occurring, ranks = np.unique(codes, return_inverse=True)
    unit = _unit(codebook[occurring])
    table = np.arccos(np.clip(unit @ unit.T, -1, 1)) / np.pi
    table = (table + table.T) / 2
    np.fill_diagonal(table, 0)

    def distance(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
        return table[ranks[frames][:, None], ranks[others]]

    return distance


def identical(codes: np.ndarray) -> FrameDistance:
    """0 for equal codes and 1 for different codes; codes are (M,), frames of all utterances."""

    def distance(frames: np.ndarray, others: np.ndarray) -> np.ndarray:
        return (codes[frames][:, None] != codes[others]).astype(np.float64)

    return distance


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors scaled to unit length, float64."""
    vectors = np.asarray(vectors, np.float64)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.where(lengths > 0, vectors / np.where(lengths > 0, lengths, 1), 1 / np.sqrt(vectors.shape[1]))
