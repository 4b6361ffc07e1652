"""N-gram models of codes: the baselines of a prior.

Interpolated modified Kneser-Ney smoothing (Chen and Goodman 1999, section 3). Each order has three discounts,
estimated from its counts of counts. The discounted mass goes to the next lower order, where a code counts
once for each different code that precedes it. Order 0 is the uniform distribution. On speech codes, from the
bigram on, this was better than plain counts in the lower orders.
"""

from collections.abc import Sequence

import numpy as np

NUM_DISCOUNTS = 3  # for counts of one, of two, and of three or more


class Ngram:
    """p(code | the order - 1 codes before it). Start symbols pad the beginning of each sequence."""

    def __init__(self, sequences: Sequence[np.ndarray], num_codes: int, order: int) -> None:
        """Fit the model.

        Args:
            sequences: (N,) each, integers in [0, K).
            num_codes: K.
            order: 0 for the uniform distribution, 1 for unigrams, 2 for bigrams, ...

        Raises:
            ValueError: there are no codes to count.
        """
        self.num_codes, self.order = num_codes, order
        history, codes = self._windows(sequences)
        if order and not len(codes):
            raise ValueError("no codes to count")
        tables, index = [], np.zeros(len(codes), np.int64)
        for length in range(order):
            contexts, index = np.unique(self._keys(index, history, length), return_inverse=True)
            tables.append((contexts, index))
        self.levels: list[_Level] = []
        weights = np.ones(len(codes))
        for contexts, index in reversed(tables):  # longest first: its distinct events are counted below it
            level = _Level(contexts, index * num_codes + codes, weights, num_codes)
            weights = level.first_occurrence
            self.levels.insert(0, level)

    def nll(self, sequences: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Negative log-likelihood of every code, nats: (N,) float64 for each sequence."""
        ends = np.cumsum([len(sequence) for sequence in sequences])
        return np.split(-np.log(self._probabilities(*self._windows(sequences))), ends[:-1])

    def _probabilities(self, history: np.ndarray, codes: np.ndarray) -> np.ndarray:
        """Probabilities, (M,), of codes (M,) given the codes of their contexts, (M, order - 1)."""
        probabilities = np.full(len(codes), 1 / self.num_codes)
        contexts = np.zeros(len(codes), np.int64)
        for length, level in enumerate(self.levels):
            found = _find(level.contexts, self._keys(contexts, history, length))
            contexts = np.where(contexts >= 0, found, -1)
            probabilities = level.interpolate(contexts, codes, probabilities)
        return probabilities

    def _keys(self, shorter: np.ndarray, history: np.ndarray, length: int) -> np.ndarray:
        """Keys of the contexts of a length, (M,): the shorter context's index combined with one more code."""
        return shorter * (self.num_codes + 1) + history[:, length - 1] if length else shorter

    def _windows(self, sequences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
        """The order - 1 codes before each code, nearest first, (M, order - 1), and the codes, (M,).

        The start symbol is K.
        """
        context = max(self.order - 1, 0)
        start = np.full(context, self.num_codes)
        padded = [np.concatenate([start, np.asarray(sequence, np.int64)]) for sequence in sequences]
        windows = [
            np.lib.stride_tricks.sliding_window_view(each, context + 1)
            for each in padded
            if len(each) > context
        ]
        joined = np.concatenate(windows) if windows else np.empty((0, context + 1), np.int64)
        return joined[:, -2::-1], joined[:, -1]


class _Level:
    """Counts of the codes after all contexts of one length."""

    def __init__(self, contexts: np.ndarray, events: np.ndarray, weights: np.ndarray, num_codes: int) -> None:
        """
        Args:
            contexts: (H,), sorted keys.
            events: (M,), for each window the index of its context x K + its code.
            weights: (M,), the count of each window.
            num_codes: K.
        """
        self.contexts, self.num_codes = contexts, num_codes
        self.events, first, index = np.unique(events, return_index=True, return_inverse=True)
        self.counts = np.bincount(index, weights).astype(np.int64)
        self.first_occurrence = np.zeros(len(events))  # 1 at one window of each distinct event
        self.first_occurrence[first] = 1
        self.discounts = _discounts(self.counts)
        owners = self.events // num_codes
        discounted = self.discounts[np.minimum(self.counts, NUM_DISCOUNTS)]
        self.totals = np.bincount(owners, self.counts, minlength=len(contexts))
        self.backoff_mass = np.bincount(owners, discounted, minlength=len(contexts)) / self.totals

    def interpolate(self, contexts: np.ndarray, codes: np.ndarray, lower: np.ndarray) -> np.ndarray:
        """Probabilities of codes given contexts.

        Args:
            contexts: (M,), indices of contexts; -1 for an unseen one.
            codes: (M,).
            lower: (M,), the probabilities of the next lower order.

        Returns:
            (M,).
        """
        events = _find(self.events, contexts * self.num_codes + codes)
        counts = np.where((events >= 0) & (contexts >= 0), self.counts[events], 0)
        kept = (counts - self.discounts[np.minimum(counts, NUM_DISCOUNTS)]) / self.totals[contexts]
        return np.where(contexts < 0, lower, kept + self.backoff_mass[contexts] * lower)


def _discounts(counts: np.ndarray) -> np.ndarray:
    """Discounts of counts of 0, 1, 2 and 3 or more, (4,); 0.5 each if the counts do not suffice."""
    ones, twos, threes, fours = (max(int(np.sum(counts == n)), 0) for n in (1, 2, 3, 4))
    if not (ones and twos and threes and fours):
        return np.array([0.0, 0.5, 0.5, 0.5])
    y = ones / (ones + 2 * twos)
    estimates = [1 - 2 * y * twos / ones, 2 - 3 * y * threes / twos, 3 - 4 * y * fours / threes]
    return np.array([0.0, *np.clip(estimates, [0.05] * 3, [0.95, 1.95, 2.95])])


def _find(sorted_keys: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Index of each key in a non-empty sorted array, -1 if it is absent: (M,) to (M,)."""
    index = np.minimum(np.searchsorted(sorted_keys, keys), len(sorted_keys) - 1)
    return np.where(sorted_keys[index] == keys, index, -1)
