"""Detection of deduplicated units: code strings in which every run of equal codes was reduced to one code."""

import numpy as np

EXPECTED_REPEATS = 7.0  # of neighbors in random order; if none is seen, chance explains it once in 1000 cases


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
        if len(codes) < 2 or self.repeats:  # one repeat answers the question
            return
        self.neighbors += len(codes) - 1
        self.repeats += int(np.count_nonzero(codes[1:] == codes[:-1]))
        found, counts = np.unique(codes, return_counts=True)
        self.counts[found] += counts

    def deduplicated(self) -> bool:
        """Whether no neighbors are equal, though some would be if the codes were in random order."""
        if self.repeats or not self.neighbors:
            return False
        fractions = self.counts / self.counts.sum()
        return bool(self.neighbors * np.square(fractions).sum() >= EXPECTED_REPEATS)
