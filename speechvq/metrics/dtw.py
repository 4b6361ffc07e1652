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


@njit(cache=True, nogil=True)
def count_wrong(
    costs: np.ndarray,
    row_starts: np.ndarray,
    starts: np.ndarray,
    not_a: np.ndarray,
    num_a: int,
    wrong: np.ndarray,
) -> None:
    """Count for every B the A and X of which X is closer to B than to A; a tie counts one half.

    Args:
        costs: (n_1 + ... + n_r, m_1 + ... + m_k), float64, between the frames of all X and those of all A,
            followed by those of all B.
        row_starts: (r + 1,), int64, first row of each X, and the number of rows.
        starts: (k + 1,), int64, first column of each A and B, and the number of columns.
        not_a: (r,), int64, number of the A that is this X, which is left out; -1 for none.
        num_a: number of A.
        wrong: (k - num_a,), float64; the counts are added.
    """
    for r in range(len(not_a)):
        distances = dtw_distances(costs[row_starts[r] : row_starts[r + 1]], starts)
        for b in range(len(wrong)):
            to_b, twice = distances[num_a + b], 0
            for a in range(num_a):
                if a != not_a[r]:
                    twice += (to_b < distances[a]) + (to_b <= distances[a])
            wrong[b] += 0.5 * twice
