"""What a prior must beat: n-grams of codes, interpolated down to the uniform distribution.

Modified Kneser-Ney smoothing (Chen and Goodman 1999, section 3): three discounts an order, estimated from the
counts of counts; what is discounted goes to the next shorter context, where a code counts as often as it has
different codes before it. On speech codes this was better than plain counts there, from the bigram on.
"""

from collections.abc import Sequence

import numpy as np

MOST_DISCOUNTS = 3  # for counts of one, two, and three or more


class Ngram:
    """p(code | the order - 1 codes before it), from counts; a string begins after as many start signs."""

    def __init__(self, strings: Sequence[np.ndarray], num_codes: int, order: int) -> None:
        """Count.

        Args:
            strings: (N,) each, integers in [0, K).
            num_codes: K.
            order: 1 for unigrams, 2 for bigrams; 0 for the uniform distribution.

        Raises:
            ValueError: no codes to count.
        """
        self.num_codes, self.order = num_codes, order
        before, codes = self._windows(strings)
        if order and not len(codes):
            raise ValueError("no codes to count")
        tables, numbers = [], np.zeros(len(codes), np.int64)
        for length in range(order):
            table, numbers = np.unique(self._keys(numbers, before, length), return_inverse=True)
            tables.append((table, numbers))
        self.levels: list[_Level] = []
        weights = np.ones(len(codes))
        for table, numbers in reversed(tables):  # the longest first: what differs there is counted below
            level = _Level(table, numbers * num_codes + codes, weights, num_codes)
            weights = level.first_seen
            self.levels.insert(0, level)

    def nll(self, strings: Sequence[np.ndarray]) -> list[np.ndarray]:
        """-log p of every code of strings, (N,) each, float64."""
        before, codes = self._windows(strings)
        share = np.full(len(codes), 1 / self.num_codes)
        contexts = np.zeros(len(codes), np.int64)
        for length, level in enumerate(self.levels):
            known = contexts >= 0
            contexts = np.where(known, _find(level.contexts, self._keys(contexts, before, length)), -1)
            share = level.interpolated(contexts, codes, share)
        return np.split(-np.log(share), np.cumsum([len(string) for string in strings])[:-1])

    def _keys(self, shorter: np.ndarray, before: np.ndarray, length: int) -> np.ndarray:
        """Keys of contexts: the number of the next shorter one, and the code before that; (M,)."""
        return shorter * (self.num_codes + 1) + before[:, length - 1] if length else shorter

    def _windows(self, strings: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """Codes before each, nearest first, K before the beginning, (M, order - 1); and the codes, (M,)."""
        reach = max(self.order - 1, 0)
        padded = [
            np.concatenate([np.full(reach, self.num_codes), np.asarray(string, np.int64)])
            for string in strings
        ]
        windows = [
            np.lib.stride_tricks.sliding_window_view(each, reach + 1) for each in padded if len(each) > reach
        ]
        joined = np.concatenate(windows) if windows else np.empty((0, reach + 1), np.int64)
        return joined[:, -2::-1], joined[:, -1]


class _Level:
    """Counts of the codes after contexts of one length."""

    def __init__(self, contexts: np.ndarray, events: np.ndarray, weights: np.ndarray, num_codes: int) -> None:
        """
        Args:
            contexts: (H,), sorted keys.
            events: (M,), for each window number of its context x K + code.
            weights: (M,), how much each window counts.
            num_codes: K.
        """
        self.contexts, self.num_codes = contexts, num_codes
        self.events, first, numbers = np.unique(events, return_index=True, return_inverse=True)
        self.counts = np.bincount(numbers, weights).astype(np.int64)
        self.first_seen = np.zeros(len(events))  # 1 at one window of each event
        self.first_seen[first] = 1
        self.discounts = _discounts(self.counts)
        owners, taken = self.events // num_codes, self.discounts[np.minimum(self.counts, MOST_DISCOUNTS)]
        self.totals = np.bincount(owners, self.counts, minlength=len(contexts))
        self.left_over = np.bincount(owners, taken, minlength=len(contexts)) / self.totals

    def interpolated(self, contexts: np.ndarray, codes: np.ndarray, shorter: np.ndarray) -> np.ndarray:
        """Probabilities of codes after contexts (M,), given those after the next shorter ones (M,)."""
        events = _find(self.events, contexts * self.num_codes + codes)
        counts = np.where((events >= 0) & (contexts >= 0), self.counts[events], 0)
        kept = (counts - self.discounts[np.minimum(counts, MOST_DISCOUNTS)]) / self.totals[contexts]
        return np.where(contexts < 0, shorter, kept + self.left_over[contexts] * shorter)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """What is taken from counts of 0, 1, 2 and 3 or more, (4,); half a count where too few say more."""
    ones, twos, threes, fours = (max(int(np.sum(counts == n)), 0) for n in (1, 2, 3, 4))
    if not (ones and twos and threes and fours):
        return np.array([0.0, 0.5, 0.5, 0.5])
    share = ones / (ones + 2 * twos)
    found = [1 - 2 * share * twos / ones, 2 - 3 * share * threes / twos, 3 - 4 * share * fours / threes]
    return np.array([0.0, *np.clip(found, [0.05] * 3, [0.95, 1.95, 2.95])])


def _find(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Place of each key among sorted ones, at least one; -1 where it is not there: (M,) to (M,)."""
    place = np.minimum(np.searchsorted(known, keys), len(known) - 1)
    return np.where(known[place] == keys, place, -1)
