"""Detection of deduplicated units: code strings in which every run of equal codes was reduced to one code."""

from typing import NamedTuple

import numpy as np

EXPECTED_REPEATS = 7.0  # of neighbors in random order; if none is seen, chance explains it once in 1000 cases


class Neighbors(NamedTuple):
    """Equal neighbors in one string, and its codes."""

    neighbors: int  # pairs
    repeats: int  # pairs of equal codes
    codes: np.ndarray  # (C,), those that occur
    counts: np.ndarray  # (C,)


def count_neighbors(codes: np.ndarray) -> Neighbors:
    """Count a string (N,) of integers."""
    repeats = int(np.count_nonzero(codes[1:] == codes[:-1]))
    return Neighbors(len(codes) - 1, repeats, *np.unique(codes, return_counts=True))


class NeighborCounts:
    """Counts of equal neighbors in code strings, and of the codes; strings are added one by one."""

    def __init__(self, num_codes: int) -> None:
        """
        Args:
            num_codes: K.
        """
        self.neighbors, self.repeats, self.counts = 0, 0, np.zeros(num_codes, np.int64)

    def add(self, codes: np.ndarray) -> None:
        """Count a string (N,) of integers in [0, K)."""
        self.add_counts(count_neighbors(codes))

    def add_counts(self, string: "Neighbors") -> None:
        """Add the counts of a string."""
        if string.neighbors < 1 or self.repeats:  # one repeat answers the question
            return
        self.neighbors += string.neighbors
        self.repeats += string.repeats
        self.counts[string.codes] += string.counts

    def deduplicated(self) -> bool:
        """Whether no neighbors are equal, though some would be if the codes were in random order."""
        if self.repeats or not self.neighbors:
            return False
        fractions = self.counts / self.counts.sum()
        return bool(self.neighbors * np.square(fractions).sum() >= EXPECTED_REPEATS)
