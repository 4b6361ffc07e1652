"""Are generated codes like real ones? Which codes, which pairs, for how long; beside real and uniform codes.

A divergence between two samples is over zero even if both are of one source, the more so the smaller they
are. So generated codes are compared with half of the real ones, and as many codes of the other half too.
"""

from collections.abc import Sequence

import numpy as np

LONGEST_RUN = 100  # frames; longer runs count as this


def jensen_shannon(one: np.ndarray, other: np.ndarray) -> float:
    """Jensen-Shannon divergence in bits of two samples of whole numbers, by their frequencies (Lin 1991).

    Args:
        one: (M,), integers.
        other: (M',), integers.

    Returns:
        0 for equal frequencies to 1 for nothing in common.

    Raises:
        ValueError: either is empty.
    """
    if not len(one) or not len(other):
        raise ValueError("nothing to compare: a sample is empty")
    known, where = np.unique(np.concatenate([one, other]), return_inverse=True)
    p = np.bincount(where[: len(one)], minlength=len(known)) / len(one)
    q = np.bincount(where[len(one) :], minlength=len(known)) / len(other)
    middle = (p + q) / 2
    halves = (
        (share * np.log2(share / middle, out=np.zeros_like(share), where=share > 0)).sum() for share in (p, q)
    )
    return float(max(sum(halves) / 2, 0.0))


def bigrams(strings: Sequence[np.ndarray], num_codes: int) -> np.ndarray:
    """Neighbouring codes as one number each, first x K + second; never across strings: (M,), int64."""
    return _joined(
        [string[:-1].astype(np.int64) * num_codes + string[1:] for string in strings if len(string) > 1]
    )


def run_lengths(strings: Sequence[np.ndarray]) -> np.ndarray:
    """Frames for which a value stays, run by run: (R,), int64."""
    return _joined(
        [np.diff(np.append(np.flatnonzero(np.diff(s, prepend=-1)), len(s))) for s in strings if len(s)]
    )


def code_divergences(
    generated: Sequence[np.ndarray], real: Sequence[np.ndarray], num_codes: int, *, seed: int = 0
) -> dict[str, dict[str, float]]:
    """Divergences, in bits, of generated, real and uniform codes from one half of the real ones.

    Args:
        generated: strings (N,), integers in [0, K).
        real: held-out strings, two at least.
        num_codes: K.
        seed: of the halves and of the uniform codes.

    Returns:
        `generated`, `real` and `uniform` for each of `unigrams`, `bigrams` and `runs` (how long codes stay).

    Raises:
        ValueError: fewer than two real strings, or no codes.
    """
    if len(real) < 2:
        raise ValueError("two real strings are needed, to compare real codes with real codes")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(real))
    one, other = [real[i] for i in order[::2]], [real[i] for i in order[1::2]]
    size = min(sum(map(len, generated)), sum(map(len, other)))
    samples = {"generated": _beginnings(generated, size), "real": _beginnings(other, size)}
    samples["uniform"] = [rng.integers(num_codes, size=len(string)) for string in samples["real"]]
    views = {
        "unigrams": _joined,
        "bigrams": lambda strings: bigrams(strings, num_codes),
        "runs": lambda strings: np.minimum(run_lengths(strings), LONGEST_RUN),
    }
    return {
        name: {who: jensen_shannon(view(strings), view(one)) for who, strings in samples.items()}
        for name, view in views.items()
    }


def _beginnings(strings: Sequence[np.ndarray], size: int) -> list[np.ndarray]:
    """The first codes of every string, about `size` together: all voices, and as generated ones begin."""
    each = -(-size // max(len(strings), 1))
    return [string[:each] for string in strings]


def _joined(parts: Sequence[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.asarray(part, np.int64) for part in parts]) if parts else np.empty(0, np.int64)


def most_likely_phones(
    codes: Sequence[np.ndarray], phones: Sequence[Sequence[str | None]], num_codes: int
) -> list[str]:
    """The likeliest phone of each code, as the paper maps them (van den Oord et al. 2017, section 4.3).

    Args:
        codes: strings (N,) of real speech.
        phones: for each frame of each string its phone, or None.
        num_codes: K.

    Returns:
        K names; a code that was not seen takes the most frequent phone.

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
