"""Dynamic time warping: the cost of the best alignment of two strings of frames, by its length."""

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def dtw_distances(costs, starts):
    """Distance of one string of frames from each of several.

    The steps are one frame on in either string or in both, and all count alike (Sakoe and Chiba 1978). The
    sum of costs over the best path is divided by the number of its cells. Of paths of equal cost the one is
    measured that, from the end, steps back in both strings, else in the second, as in fastabx (torchdtw).

    Args:
        costs: (n, m_1 + ... + m_k), float64, between the frames of one and of all others, side by side.
        starts: (k + 1,), int64, where each of the others begins, and the end of the last.

    Returns:
        (k,), float64.
    """
    distances = np.empty(len(starts) - 1)
    for i in range(len(distances)):
        distances[i] = _warped(costs[:, starts[i] : starts[i + 1]])
    return distances


@njit(cache=True, nogil=True)
def _warped(costs):
    """(n, m) to a number."""
    n, m = costs.shape
    total = np.empty((n, m))
    for i in range(n):
        for j in range(m):
            if i == 0 and j == 0:
                before = 0.0
            elif i == 0:
                before = total[i, j - 1]
            elif j == 0:
                before = total[i - 1, j]
            else:
                before = min(total[i - 1, j], total[i - 1, j - 1], total[i, j - 1])
            total[i, j] = costs[i, j] + before
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
