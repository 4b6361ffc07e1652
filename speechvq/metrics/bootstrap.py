"""Counts of label and code, utterance by utterance in bounded memory, and the tables that resampling gives.

Each utterance keeps a sparse table of its own, some hundred cells, so that the bootstrap (Efron 1979) draws
utterances and not frames: neighbouring frames are of one phone and tell little new.
"""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

CAPACITY = 8_000_000  # cells kept, 16 bytes each; 100 million frames then score within 1 GB
NUM_RESAMPLES = 400
_CELLS_AT_ONCE = 4_000_000  # of resampled tables

PartIndex = Callable[[str], int]


def _one_part(group: str) -> int:
    return 0


class UtteranceTables:
    """Sparse tables of labels by codes, one an utterance; joined when they are too many to keep.

    Joining takes neighbours of one group together, so a table is then of two utterances, or four; the
    bootstrap resamples these, which is as good as long as they are many.
    """

    def __init__(self, num_codes: int, *, capacity: int = CAPACITY) -> None:
        """
        Args:
            num_codes: K.
            capacity: cells that may be kept before tables are joined.
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
        """The groups, for example speakers, that have been added."""
        return set(self._groups)

    def add(self, labels: np.ndarray, codes: np.ndarray, *, group: str = "") -> None:
        """Count an utterance.

        Args:
            labels: (M,), integers from 0.
            codes: (M,), integers in [0, K).
            group: whose it is; utterances of different groups are never joined.
        """
        cells, counts = np.unique(labels.astype(np.int64) * self.num_codes + codes, return_counts=True)
        self._keep(cells, counts, group)
        if self._stored > self._capacity:
            self._join()

    def table(self, order: np.ndarray, parts: PartIndex = _one_part, *, num_parts: int = 1) -> np.ndarray:
        """The counts of all utterances together.

        Args:
            order: (P,), the row that each label gets.
            parts: the part of a group, from 0.
            num_parts: how many parts there are.

        Returns:
            (parts, P, K), int64.
        """
        total = np.zeros((num_parts, len(order) * self.num_codes), np.int64)
        for cells, counts, group in zip(self._cells, self._counts, self._groups):
            labels, codes = np.divmod(cells, self.num_codes)
            total[parts(group), order[labels] * self.num_codes + codes] += counts
        return total.reshape(num_parts, len(order), self.num_codes)

    def resample(
        self,
        order: np.ndarray,
        parts: PartIndex = _one_part,
        *,
        num_parts: int = 1,
        num_resamples: int = NUM_RESAMPLES,
        seed: int = 0,
    ) -> Iterator[np.ndarray]:
        """Tables of utterances drawn with replacement from all parts together, some at a time.

        Args:
            order: (P,), the row that each label gets.
            parts: the part of a group, from 0.
            num_parts: how many parts there are.
            resamplings: how many times to draw, in all.
            seed: of the draws.

        Yields:
            (parts, b, P, K'), int64, the b being `resamplings` in all; K' are the codes that occur.
        """
        from scipy.sparse import csr_matrix

        cells, counts = np.concatenate(self._cells), np.concatenate(self._counts)
        active, columns = np.unique(cells % self.num_codes, return_inverse=True)
        rows = order[cells // self.num_codes] * len(active) + columns
        owners = np.repeat(np.arange(len(self)), [len(each) for each in self._cells])
        part = np.array([parts(group) for group in self._groups])
        size = len(order) * len(active)
        matrix = csr_matrix((counts, (part[owners] * size + rows, owners)), (num_parts * size, len(self)))
        rng = np.random.default_rng(seed)
        step = max(1, _CELLS_AT_ONCE // (num_parts * size))
        for first in range(0, num_resamples, step):
            several = min(step, num_resamples - first)
            weights = rng.multinomial(len(self), np.full(len(self), 1 / len(self)), size=several)
            drawn = (matrix @ weights.T).T
            yield drawn.reshape(several, num_parts, len(order), len(active)).swapaxes(0, 1)

    def _keep(self, cells: np.ndarray, counts: np.ndarray, group: str) -> None:
        self._cells.append(cells)
        self._counts.append(counts)
        self._groups.append(group)
        self._stored += len(cells)

    def _join(self) -> None:
        """Make one table of every two of a group, in the order they came, until half of the room is free."""
        while self._stored > self._capacity / 2 and len(self) > len(self.groups):
            tables = list(zip(self._cells, self._counts, self._groups))
            self._cells, self._counts, self._groups, self._stored = [], [], [], 0
            waiting: dict[str, tuple[np.ndarray, np.ndarray]] = {}
            for cells, counts, group in tables:
                if (other := waiting.pop(group, None)) is None:
                    waiting[group] = cells, counts
                else:
                    self._keep(*_sum(other, (cells, counts)), group)
            for group, (cells, counts) in waiting.items():
                self._keep(cells, counts, group)
        # One table a group is the least, so where that is too much there has to be more room.
        self._capacity = max(self._capacity, 2 * self._stored)


def _sum(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Sum of two sparse tables, (cells, counts) each."""
    cells, where = np.unique(np.concatenate([a[0], b[0]]), return_inverse=True)
    counts = np.zeros(len(cells), np.int64)
    np.add.at(counts, where, np.concatenate([a[1], b[1]]))
    return cells, counts


def centered_interval(
    values: Sequence[np.ndarray], estimate: float, bounds: tuple[float, float]
) -> tuple[float, float] | None:
    """Interval of 95 % from resampled values, moved so that their mean is the estimate.

    A resampled corpus holds fewer different utterances, so purity and mutual information come out a little
    higher in it; the move takes that bias away, and the interval holds its estimate.

    Args:
        values: (b,) each, the figure of each resampling; NaN are left out.
        estimate: the figure of the corpus.
        bounds: between which the figure can lie.

    Returns:
        Low and high; None where there is no figure.
    """
    every = np.concatenate([np.empty(0), *values])
    kept = every[np.isfinite(every)]
    if not len(kept) or not np.isfinite(estimate):
        return None
    low, high = np.percentile(kept, [2.5, 97.5]) - kept.mean() + estimate
    return max(float(low), bounds[0]), min(float(high), bounds[1])
