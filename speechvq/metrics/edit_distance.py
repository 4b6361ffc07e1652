"""Edit distance of two sequences (Levenshtein 1966), the aligned pairs, and the error rate."""

import math
from collections.abc import Hashable, Sequence

import numpy as np


def aligned_pairs(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Index pairs of matched and substituted symbols in an optimal alignment, in order.

    Insertions, deletions and substitutions cost 1 each. Among optimal alignments, the one with the latest
    pairs is returned.
    """
    costs = _costs(first, second)
    i, j, pairs = len(first), len(second), []
    while i and j:
        if costs[i, j] == costs[i - 1, j - 1] + (first[i - 1] != second[j - 1]):
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif costs[i, j] == costs[i - 1, j] + 1:
            i -= 1
        else:
            j -= 1
    return pairs[::-1]


def distance(first: Sequence[Hashable], second: Sequence[Hashable]) -> int:
    """Minimum number of insertions, deletions and substitutions between two sequences."""
    return int(_costs(first, second)[-1, -1])


def error_rate(reference: Sequence[Hashable], hypothesis: Sequence[Hashable]) -> float:
    """Edit distance divided by the length of the reference, as in WER; NaN for an empty reference."""
    return distance(reference, hypothesis) / len(reference) if len(reference) else math.nan


def _costs(first: Sequence[Hashable], second: Sequence[Hashable]) -> np.ndarray:
    """Edit distances of all pairs of prefixes, (len(first) + 1, len(second) + 1), computed row by row."""
    index = {symbol: i for i, symbol in enumerate(dict.fromkeys([*first, *second]))}
    columns = np.arange(len(second) + 1)
    symbols = np.array([index[symbol] for symbol in second], np.int64)
    costs = np.empty((len(first) + 1, len(columns)), np.int64)
    costs[0] = columns
    for i, symbol in enumerate(first, start=1):
        above = costs[i - 1]
        best = above + 1
        best[1:] = np.minimum(best[1:], above[:-1] + (symbols != index[symbol]))
        costs[i] = np.minimum.accumulate(best - columns) + columns
    return costs
