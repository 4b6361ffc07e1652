"""Figures of a contingency table: how often each label (a phone, a speaker) and each code fall on one frame.

Tables are (..., P, K), counts of P labels by K codes; leading axes are many tables at once, as the bootstrap
makes them. Nothing here depends on the order of labels or codes. A table without frames gives NaN.
"""

import numpy as np

_MOST_FRAMES = 10**9  # beyond it numpy draws no multivariate hypergeometric numbers


def majority_prior(tables: np.ndarray) -> np.ndarray:
    """Share of the most frequent label: what guessing it everywhere scores; (..., P, K) to (...)."""
    return _share(tables.sum(axis=-1).max(axis=-1, initial=0), tables)


def label_purity(tables: np.ndarray) -> np.ndarray:
    """Frames that are right when every code is mapped to its most frequent label, as a share.

    With phones for labels this is phone purity (Hsu et al. 2021, HuBERT), and the mapping accuracy of van den
    Oord et al. 2017 where map and score are of the same frames; (..., P, K) to (...).
    """
    return _share(tables.max(axis=-2, initial=0).sum(axis=-1), tables)


def cluster_purity(tables: np.ndarray) -> np.ndarray:
    """The same with labels and codes exchanged: every label mapped to its code; (..., P, K) to (...)."""
    return _share(tables.max(axis=-1, initial=0).sum(axis=-1), tables)


def held_out_purity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Label purity where the map is fitted on one table and scored on the other, and the other way round.

    A code whose labels tie takes the one that is more frequent where the map is fitted; so does a code that
    does not occur there. Labels that tie in that too share the score.

    Args:
        one: (..., P, K), counts, for example of half of the speakers.
        other: (..., P, K), counts of the other half.

    Returns:
        (...), right frames of both directions over all frames; NaN where either table has none.
    """
    correct = _correct(one, other) + _correct(other, one)
    both = (_total(one) > 0) & (_total(other) > 0)
    return np.where(both, _share(correct, one + other), np.nan)


def _correct(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """How many frames of `scored` the map fitted on `fitted` gets right; (..., P, K) each to (...)."""
    best = fitted == fitted.max(axis=-2, keepdims=True, initial=0)
    frequency = np.where(best, fitted.sum(axis=-1, keepdims=True), -1)
    best = frequency == frequency.max(axis=-2, keepdims=True, initial=-1)
    return (np.where(best, scored, 0).sum(axis=-2) / best.sum(axis=-2).clip(min=1)).sum(axis=-1)


def pnmi(tables: np.ndarray) -> np.ndarray:
    """Mutual information of label and code over the entropy of the label: the homogeneity of scikit-learn.

    1 where there is one label only, as scikit-learn has it; (..., P, K) to (...).
    """
    label = _entropy(tables.sum(axis=-1), axes=(-1,))
    code = _entropy(tables.sum(axis=-2), axes=(-1,))
    both = _entropy(tables, axes=(-2, -1))
    shared = np.divide(label + code - both, label, out=np.ones_like(label), where=label > 0)
    return np.where(_total(tables) > 0, shared.clip(0, 1), np.nan)


def code_entropy(tables: np.ndarray) -> np.ndarray:
    """Entropy of the codes in bits; (..., P, K) to (...)."""
    return np.where(_total(tables) > 0, _entropy(tables.sum(axis=-2), axes=(-1,)), np.nan)


def active_codes(tables: np.ndarray) -> np.ndarray:
    """How many codes occur; (..., P, K) to (...)."""
    return (tables.sum(axis=-2) > 0).sum(axis=-1)


def shuffled(table: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """The table of the same frames after their codes were permuted at random.

    Drawn from the distribution that a permutation gives it, a multivariate hypergeometric one for each label,
    so it needs no frames; with a thousand million frames or more it is the mean of that distribution.

    Args:
        table: (P, K), counts.
        seed: of the permutation.

    Returns:
        (P, K), with the sums of rows and columns of `table`.
    """
    labels, left = table.sum(axis=1), table.sum(axis=0)
    total = int(table.sum())
    if total >= _MOST_FRAMES:
        return np.outer(labels, left / total)
    rng = np.random.default_rng(seed)
    drawn = np.zeros_like(table)
    for label in np.flatnonzero(labels):
        drawn[label] = rng.multivariate_hypergeometric(left, labels[label], method="marginals")
        left = left - drawn[label]
    return drawn


def _total(tables: np.ndarray) -> np.ndarray:
    return tables.sum(axis=(-2, -1))


def _share(count: np.ndarray, tables: np.ndarray) -> np.ndarray:
    total = np.asarray(_total(tables), float)
    return np.divide(count, total, out=np.full_like(total, np.nan), where=total > 0)


def _entropy(counts: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    """Entropy in bits of counts over some axes: log n - sum(c log c) / n; 0 where there are none."""
    counts = np.asarray(counts, float)
    total = counts.sum(axis=axes)
    logs = np.log2(counts, out=np.zeros_like(counts), where=counts > 0)
    one = np.maximum(total, 1)
    return np.maximum(np.log2(one) - (counts * logs).sum(axis=axes) / one, 0.0)  # rounding may go below
