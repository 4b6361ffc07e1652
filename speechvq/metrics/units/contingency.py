"""Metrics of contingency tables, which count the frames of each label (phone or speaker) and code.

Tables are (..., P, K), counts of P labels by K codes; leading axes hold many tables, for example bootstrap
resamples. No metric depends on the order of labels or codes. A table without frames gives NaN.
"""

import numpy as np

_MAX_FRAMES = 10**9  # limit of numpy's multivariate hypergeometric distribution


def majority_prior(tables: np.ndarray) -> np.ndarray:
    """Fraction of the most frequent label, the score of always guessing it; (..., P, K) to (...)."""
    return _fraction(tables.sum(axis=-1).max(axis=-1, initial=0), tables)


def label_purity(tables: np.ndarray) -> np.ndarray:
    """Fraction of correct frames if every code is mapped to its most frequent label; (..., P, K) to (...).

    With phones as labels this is phone purity (Hsu et al. 2021), and the mapping accuracy of van den Oord et
    al. (2017) if the map is fitted and scored on the same frames.
    """
    return _fraction(tables.max(axis=-2, initial=0).sum(axis=-1), tables)


def cluster_purity(tables: np.ndarray) -> np.ndarray:
    """Fraction of correct frames if every label is mapped to its most frequent code; (..., P, K) to (...)."""
    return _fraction(tables.max(axis=-1, initial=0).sum(axis=-1), tables)


def held_out_purity(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Label purity with the map fitted on one table and scored on the other, in both directions.

    If several labels are equally frequent for a code, or if the code does not occur in the fitted table, the
    code is mapped to the label that is most frequent in the fitted table. If these tie too, the score is the
    mean over the tied labels.

    Args:
        one: (..., P, K), counts, for example of half of the speakers.
        other: (..., P, K), counts of the other half.

    Returns:
        (...), correct frames of both directions over all frames; NaN if either table has no frames.
    """
    correct = _correct(one, other) + _correct(other, one)
    both = (_total(one) > 0) & (_total(other) > 0)
    return np.where(both, _fraction(correct, one + other), np.nan)


def _correct(fitted: np.ndarray, scored: np.ndarray) -> np.ndarray:
    """Correct frames of `scored` under the map fitted on `fitted`; (..., P, K) each to (...)."""
    best = fitted == fitted.max(axis=-2, keepdims=True, initial=0)
    frequency = np.where(best, fitted.sum(axis=-1, keepdims=True), -1)
    best = frequency == frequency.max(axis=-2, keepdims=True, initial=-1)
    return (np.where(best, scored, 0).sum(axis=-2) / best.sum(axis=-2).clip(min=1)).sum(axis=-1)


def pnmi(tables: np.ndarray) -> np.ndarray:
    """Mutual information of label and code, divided by the entropy of the label; (..., P, K) to (...).

    Phone-normalized mutual information (Hsu et al. 2021) equals `sklearn.metrics.homogeneity_score`: it is 1
    for a single label.
    """
    label = _entropy(tables.sum(axis=-1), axes=(-1,))
    code = _entropy(tables.sum(axis=-2), axes=(-1,))
    both = _entropy(tables, axes=(-2, -1))
    information = np.divide(label + code - both, label, out=np.ones_like(label), where=label > 0)
    return np.where(_total(tables) > 0, information.clip(0, 1), np.nan)


def code_entropy(tables: np.ndarray) -> np.ndarray:
    """Entropy of the codes in bits; (..., P, K) to (...)."""
    return np.where(_total(tables) > 0, _entropy(tables.sum(axis=-2), axes=(-1,)), np.nan)


def active_codes(tables: np.ndarray) -> np.ndarray:
    """Number of codes that occur; (..., P, K) to (...)."""
    return (tables.sum(axis=-2) > 0).sum(axis=-1)


def shuffled(table: np.ndarray, *, seed: int = 0) -> np.ndarray:
    """Table of the same frames with their codes in random order.

    The table is drawn from a multivariate hypergeometric distribution per label, which is the distribution
    under a random permutation, so the frames themselves are not needed. From 10^9 frames on, the mean of this
    distribution is returned.

    Args:
        table: (P, K), counts.
        seed: of the random order.

    Returns:
        (P, K), with the row and column sums of `table`.
    """
    labels, remaining = table.sum(axis=1), table.sum(axis=0)
    total = int(table.sum())
    if total >= _MAX_FRAMES:
        return np.outer(labels, remaining / total)
    rng = np.random.default_rng(seed)
    drawn = np.zeros_like(table)
    for label in np.flatnonzero(labels):
        drawn[label] = rng.multivariate_hypergeometric(remaining, labels[label], method="marginals")
        remaining = remaining - drawn[label]
    return drawn


def _total(tables: np.ndarray) -> np.ndarray:
    return tables.sum(axis=(-2, -1))


def _fraction(count: np.ndarray, tables: np.ndarray) -> np.ndarray:
    total = np.asarray(_total(tables), float)
    return np.divide(count, total, out=np.full_like(total, np.nan), where=total > 0)


def _entropy(counts: np.ndarray, *, axes: tuple[int, ...]) -> np.ndarray:
    """Entropy of counts over some axes, in bits: log n - sum(c log c) / n; 0 without counts."""
    counts = np.asarray(counts, float)
    total = counts.sum(axis=axes)
    logs = np.log2(counts, out=np.zeros_like(counts), where=counts > 0)
    one = np.maximum(total, 1)
    # Rounding may give less than 0.
    return np.maximum(np.log2(one) - (counts * logs).sum(axis=axes) / one, 0.0)
