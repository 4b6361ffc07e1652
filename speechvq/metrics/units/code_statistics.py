"""Distances between generated and real codes: unigrams, bigrams and run lengths.

The divergence between two samples of one source is above zero, and it grows as the samples shrink.
Generated codes are therefore compared with one half of the real codes, and equally many codes of the other
half serve as the reference value.
"""

from collections.abc import Sequence

import numpy as np

MAX_RUN = 100  # frames; longer runs count as this


def jensen_shannon(one: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon divergence of two samples of integers, in bits (Lin 1991).

    Args:
        one: (M,), integers.
        other: (M',), integers.

    Returns:
        Between 0, for equal frequencies, and 1, for disjoint samples.

    Raises:
        ValueError: either is empty.
    """
    from scipy.spatial.distance import jensenshannon

    if not len(one) or not len(other):
        raise ValueError("nothing to compare: a sample is empty")
    values, index = np.unique(np.concatenate([one, other]), return_inverse=True)
    p = np.bincount(index[: len(one)], minlength=len(values))
    q = np.bincount(index[len(one) :], minlength=len(values))
    return float(jensenshannon(p, q, base=2)) ** 2  # SciPy's distance is the root of the divergence


def bigrams(strings: Sequence[np.ndarray], num_codes: int) -> np.ndarray:
    """Pairs of consecutive codes as first x K + second, within each string: (M,), int64."""
    return _joined(
        [string[:-1].astype(np.int64) * num_codes + string[1:] for string in strings if len(string) > 1]
    )


def run_lengths(strings: Sequence[np.ndarray]) -> np.ndarray:
    """Length of every run of equal values, in frames: (R,), int64."""
    return _joined(
        [np.diff(np.append(np.flatnonzero(np.diff(s, prepend=-1)), len(s))) for s in strings if len(s)]
    )


def code_divergences(
    generated: Sequence[np.ndarray], real: Sequence[np.ndarray], num_codes: int, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Jensen-Shannon divergences of generated, real and uniform codes from one half of the real codes.

    Args:
        generated: strings (N,), integers in [0, K).
        real: held-out strings, two or more.
        num_codes: K.
        seed: of the split into halves and of the uniform codes.

    Returns:
        Divergences in bits by statistic (`unigrams`, `bigrams`, `runs`) and sample (`generated`, `real`,
        `uniform`).

    Raises:
        ValueError: fewer than two real strings, or no codes.
    """
    if len(real) < 2:
        raise ValueError("fewer than two real strings; one half of the real codes is compared with the other")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(real))
    one, other = [real[i] for i in order[::2]], [real[i] for i in order[1::2]]
    size = min(sum(map(len, generated)), sum(map(len, other)))
    samples = {"generated": _beginnings(generated, size), "real": _beginnings(other, size)}
    samples["uniform"] = [rng.integers(num_codes, size=len(string)) for string in samples["real"]]
    views = {
        "unigrams": _joined,
        "bigrams": lambda strings: bigrams(strings, num_codes),
        "runs": lambda strings: np.minimum(run_lengths(strings), MAX_RUN),
    }
    return {
        name: {who: jensen_shannon(view(strings), view(one)) for who, strings in samples.items()}
        for name, view in views.items()
    }


def _beginnings(strings: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """The first codes of every string, about `size` in total, so that all speakers are represented."""
    each = -(-size // max(len(strings), 1))
    return [string[:each] for string in strings]


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.int64) for part in parts]) if parts else np.empty(0, np.int64)


def most_likely_phones(
    codes: Sequence[np.ndarray], phones: Sequence[Sequence[str | None]], num_codes: int
) -> list[str]:
    """The most frequent phone of each code (van den Oord et al. 2017, section 4.3).

    Args:
        codes: strings (N,) of real speech.
        phones: phone of every frame of each string, or None.
        num_codes: K.

    Returns:
        K names; a code without frames gets the most frequent phone.

    Raises:
        ValueError: no frame has a phone.
    """
    names = sorted({phone for each in phones for phone in each if phone is not None})
    if not names:
        raise ValueError("no frame of the real codes has a phone")
    number = {name: i for i, name in enumerate(names)}
    table = np.zeros((num_codes, len(names)), np.int64)
    for string, labels in zip(codes, phones):
        known = np.array([number.get(label, -1) if label is not None else -1 for label in labels])
        np.add.at(table, (np.asarray(string, np.int64)[known >= 0], known[known >= 0]), 1)
    table[table.sum(axis=1) == 0] = table.sum(axis=0)
    return [names[i] for i in table.argmax(axis=1)]
