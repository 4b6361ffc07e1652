"""How one string of phones becomes another (Levenshtein 1966): pairs, insertions and deletions."""

import math
from collections.abc import Hashable, Sequence

import numpy as np


def aligned_pairs(first: Sequence[Hashable], second: Sequence[Hashable]) -> list[tuple[int, int]]:
    """Places that belong together on a cheapest way from one sequence to the other, in order.

    An insertion, a deletion and a substitution cost 1 each; of ways that cost the same, the one with the
    latest pairs. Substituted symbols are pairs too: compare them to tell.
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
    """How many insertions, deletions and substitutions lead from one sequence to the other, at least."""
    return int(_costs(first, second)[-1, -1])


def error_rate(reference: Sequence[Hashable], found: Sequence[Hashable]) -> float:
    """Their distance by the length of the reference, as in word error rate; NaN for an empty reference."""
    return distance(reference, found) / len(reference) if len(reference) else math.nan


def _costs(first: Sequence[Hashable], second: Sequence[Hashable]) -> np.ndarray:
    """Costs of all beginnings, (len(first) + 1, len(second) + 1); a row at once, insertions adding 1 each."""
    number = {symbol: i for i, symbol in enumerate(dict.fromkeys([*first, *second]))}
    columns = np.arange(len(second) + 1)
    wanted = np.array([number[symbol] for symbol in second], np.int64)
    costs = np.empty((len(first) + 1, len(columns)), np.int64)
    costs[0] = columns
    for i, symbol in enumerate(first, start=1):
        above = costs[i - 1]
        best = above + 1
        best[1:] = np.minimum(best[1:], above[:-1] + (wanted != number[symbol]))
        costs[i] = np.minimum.accumulate(best - columns) + columns
    return costs
