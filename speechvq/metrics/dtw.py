"""Dynamic time warping: cost of the best alignment of two sequences, divided by its length."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def dtw_distances(costs: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """DTW distances between one sequence of frames and each of k other sequences.

    A step advances one frame in either sequence or in both, with equal weights (Sakoe and Chiba 1978). The
    distance is the sum of costs over the best path, divided by the number of its cells. Among paths of equal
    cost, backtracking prefers a step in both sequences, then a step in the second, as in fastabx (torchdtw).

    Args:
        costs: (n, m_1 + ... + m_k), float64, costs between the frames of the sequence and of all others.
        starts: (k + 1,), int64, first column of each other sequence, and the number of columns.

    Returns:
        (k,), float64.
    """
    distances = np.empty(len(starts) - 1)
    for i in range(len(distances)):
        distances[i] = _dtw_distance(costs[:, starts[i] : starts[i + 1]])
    return distances


@njit(cache=True, nogil=True)
def _dtw_distance(costs: np.ndarray) -> float:
    """DTW distance from a cost matrix (n, m)."""
    n, m = costs.shape
    total = np.empty((n, m))
    for i in range(n):
        for j in range(m):
            if i == 0 and j == 0:
                best = 0.0
            elif i == 0:
                best = total[i, j - 1]
            elif j == 0:
                best = total[i - 1, j]
            else:
                best = min(total[i - 1, j], total[i - 1, j - 1], total[i, j - 1])
            total[i, j] = costs[i, j] + best
    i, j, length = n - 1, m - 1, 1
    while i > 0 and j > 0:
        up, left, diagonal = total[i - 1, j], total[i, j - 1], total[i - 1, j - 1]
        if diagonal <= left and diagonal <= up:
            i, j = i - 1, j - 1
        elif left <= up:
            j -= 1
        else:
            i -= 1
        length += 1
    return total[n - 1, m - 1] / (length + i + j)
