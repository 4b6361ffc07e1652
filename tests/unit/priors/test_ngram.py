"""N-grams are normalized, equal a loop over the formula, and learn from context."""

import math

import numpy as np
import pytest

from speechvq.priors.sequence.ngram import Ngram, _discounts

K = 5


def sequences(count: int = 30, seed: int = 0) -> list[np.ndarray]:
    """Sequences of a random second-order Markov chain."""
    rng = np.random.default_rng(seed)
    probabilities = np.random.default_rng(99).dirichlet(np.full(K, 0.3), size=(K, K))
    made = []
    for _ in range(count):
        codes = rng.integers(K, size=2).tolist()
        while len(codes) < 40:
            codes.append(int(rng.choice(K, p=probabilities[codes[-2], codes[-1]])))
        made.append(np.array(codes))
    return made


def kneser_ney(training: list[np.ndarray], order: int, history: list[int], code: int) -> float:
    """p(code | history) by Chen and Goodman's recursion, with loops over every window."""
    windows = [
        tuple([K] * (order - 1) + list(string))[i : i + order]
        for string in training
        for i in range(len(string))
    ]
    counts = {window: windows.count(window) for window in set(windows)}
    probability = 1 / K
    tables = {order: counts}
    for length in range(order - 1, 0, -1):  # number of distinct codes before each shorter window
        longer = tables[length + 1]
        tables[length] = {}
        for window in longer:
            tables[length][window[1:]] = tables[length].get(window[1:], 0) + 1
    padded = [K] * order + list(history)
    for length in range(1, order + 1):
        table = tables[length]
        context = tuple(padded[len(padded) - length + 1 :])
        after = {window[-1]: count for window, count in table.items() if window[:-1] == context}
        if not after:
            break
        discounts = _discounts(np.array(list(table.values())))
        taken = sum(discounts[min(count, 3)] for count in after.values())
        kept = after.get(code, 0) - discounts[min(after.get(code, 0), 3)]
        probability = (kept + taken * probability) / sum(after.values())
    return float(probability)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_probabilities_equal_the_recursion_and_sum_to_one(order: int) -> None:
    training = sequences(5)
    ngram, new = Ngram(training, K, order), sequences(1, seed=7)[0][:12]
    nll = ngram.nll([new])[0]
    for n in range(len(new)):
        every = [kneser_ney(training, order, new[:n].tolist(), code) for code in range(K)]
        assert sum(every) == pytest.approx(1)
        assert math.exp(-nll[n]) == pytest.approx(every[new[n]])


def test_unseen_codes_and_contexts_have_a_finite_nll() -> None:
    ngram = Ngram([np.array([0, 1, 0, 1])], 1000, 3)
    nll = np.concatenate(ngram.nll([np.array([999, 998]), np.array([0])]))
    assert np.isfinite(nll).all() and nll[0] > math.log(1000) > nll[2]
    assert np.allclose(Ngram([], K, 0).nll([np.array([1, 2])])[0], math.log(K))
    with pytest.raises(ValueError, match="no codes to count"):
        Ngram([np.empty(0, np.int64)], K, 1)


def test_longer_contexts_lower_the_nll_of_a_markov_chain() -> None:
    training, heldout = sequences(100), sequences(20, seed=1)
    bits = [float(np.concatenate(Ngram(training, K, order).nll(heldout)).mean()) for order in range(5)]
    assert bits[0] == pytest.approx(math.log(K)) and bits[0] > bits[1] > bits[2] > bits[3] + 0.1
    assert abs(bits[4] - bits[3]) < 0.1  # the chain is of second order: more context is no use, and no harm


def test_results_have_the_lengths_of_the_sequences() -> None:
    lengths = [0, 3, 1, 0]
    nll = Ngram(sequences(3), K, 2).nll([np.zeros(n, np.uint16) for n in lengths])
    assert [len(each) for each in nll] == lengths
