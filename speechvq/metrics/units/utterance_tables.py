"""Contingency tables of labels by codes, one sparse table per utterance, and their bootstrap resamples.

One table per utterance, of some hundred cells, makes it possible to resample utterances in bounded memory.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import MIN_ITEMS, draw_weights

CAPACITY = 8_000_000  # stored cells of 16 bytes; 100 million frames are scored within 1 GB
TABLE_RESAMPLES = 400  # fewer than for means, because each resample is a whole table

_MAX_RESAMPLED_CELLS = 4_000_000  # at once

PartOf = Callable[[str], int]  # from group to part


def _single_part(group: str) -> int:
    return 0


class SparseTable(NamedTuple):
    """The cells of a table of labels by codes that are not 0."""

    cells: np.ndarray  # (M,), int64, sorted, label x K + code
    counts: np.ndarray  # (M,), int64


def sparse_table(labels: np.ndarray, codes: np.ndarray, num_codes: int) -> SparseTable:
    """Count the pairs of labels (M,), integers from 0, and codes (M,), integers in [0, K)."""
    return SparseTable(*np.unique(labels.astype(np.int64) * num_codes + codes, return_counts=True))


class UtteranceTables:
    """Sparse tables of labels by codes, one per utterance; merged in pairs when they exceed the capacity.

    Only consecutive utterances of one group are merged. The bootstrap then draws pairs of utterances, or
    groups of four, which is accurate as long as they are many.
    """

    def __init__(self, num_codes: int, *, capacity: int = CAPACITY) -> None:
        """
        Args:
            num_codes: K.
            capacity: stored cells above which tables are merged.
        """
        self.num_codes = num_codes
        self._capacity, self._stored = capacity, 0
        self._cells: list[np.ndarray] = []
        self._counts: list[np.ndarray] = []
        self._groups: list[str] = []

    def __len__(self) -> int:
        return len(self._groups)

    @property
    def groups(self) -> set[str]:
        """The groups that have been added, for example speakers."""
        return set(self._groups)

    def add(self, labels: np.ndarray, codes: np.ndarray, *, group: str = "") -> None:
        """Count one utterance.

        Args:
            labels: (M,), integers from 0.
            codes: (M,), integers in [0, K).
            group: for example the speaker; utterances of different groups are never merged.
        """
        self.add_table(sparse_table(labels, codes, self.num_codes), group=group)

    def add_table(self, table: SparseTable, *, group: str = "") -> None:
        """Add the table of one utterance; the rest as of `add`."""
        self._append(*table, group)
        if self._stored > self._capacity:
            self._merge()

    def table(self, order: np.ndarray, part_of: PartOf = _single_part, *, num_parts: int = 1) -> np.ndarray:
        """Counts of all utterances, summed within each part.

        Args:
            order: (P,), the row of each label.
            part_of: maps a group to its part, an integer in [0, num_parts).
            num_parts: number of parts, for example two halves of the speakers.

        Returns:
            (num_parts, P, K), int64.
        """
        total = np.zeros((num_parts, len(order) * self.num_codes), np.int64)
        for cells, counts, group in zip(self._cells, self._counts, self._groups):
            labels, codes = np.divmod(cells, self.num_codes)
            total[part_of(group), order[labels] * self.num_codes + codes] += counts
        return total.reshape(num_parts, len(order), self.num_codes)

    def resample(
        self,
        order: np.ndarray,
        part_of: PartOf = _single_part,
        *,
        num_parts: int = 1,
        num_resamples: int = TABLE_RESAMPLES,
        seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Tables of bootstrap resamples; utterances are drawn from all parts together.

        Args:
            order: (P,), the row of each label.
            part_of: maps a group to its part.
            num_parts: number of parts.
            num_resamples: resamples in total.
            seed: of the draws.

        Yields:
            (num_parts, b, P, K'), int64; the b sum to `num_resamples`, and K' counts the codes that occur.
            Nothing if there is only one utterance: it has no interval.
        """
        if len(self) < MIN_ITEMS:
            return
        from scipy.sparse import csr_matrix

        cells, counts = np.concatenate(self._cells), np.concatenate(self._counts)
        active, columns = np.unique(cells % self.num_codes, return_inverse=True)
        rows = order[cells // self.num_codes] * len(active) + columns
        utterances = np.repeat(np.arange(len(self)), [len(each) for each in self._cells])
        part = np.array([part_of(group) for group in self._groups])
        size = len(order) * len(active)
        shape = (num_parts * size, len(self))
        matrix = csr_matrix((counts, (part[utterances] * size + rows, utterances)), shape)
        step = max(1, _MAX_RESAMPLED_CELLS // (num_parts * size))
        for weights in draw_weights(len(self), num_resamples, seed=seed, chunk_size=step):
            drawn = (matrix @ weights.T).T
            yield drawn.reshape(len(weights), num_parts, len(order), len(active)).swapaxes(0, 1)

    def _append(self, cells: np.ndarray, counts: np.ndarray, group: str) -> None:
        self._cells.append(cells)
        self._counts.append(counts)
        self._groups.append(group)
        self._stored += len(cells)

    def _merge(self) -> None:
        """Merge pairs of tables of the same group, in order, until half of the capacity is free."""
        while self._stored > self._capacity / 2 and len(self) > len(self.groups):
            tables = list(zip(self._cells, self._counts, self._groups))
            self._cells, self._counts, self._groups, self._stored = [], [], [], 0
            waiting: dict[str, tuple[np.ndarray, np.ndarray]] = {}
            for cells, counts, group in tables:
                if (other := waiting.pop(group, None)) is None:
                    waiting[group] = cells, counts
                else:
                    self._append(*_sum(other, (cells, counts)), group)
            for group, (cells, counts) in waiting.items():
                self._append(cells, counts, group)
        # Each group needs one table at least, so the capacity grows if these alone exceed it.
        self._capacity = max(self._capacity, 2 * self._stored)


def _sum(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sum of two sparse tables, given as (cells, counts)."""
    cells, where = np.unique(np.concatenate([a[0], b[0]]), return_inverse=True)
    counts = np.zeros(len(cells), np.int64)
    np.add.at(counts, where, np.concatenate([a[1], b[1]]))
    return cells, counts
