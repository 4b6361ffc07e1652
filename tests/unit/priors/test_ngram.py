"""N-grams: they are distributions, equal a loop over the formula, and learn what there is to learn."""

import math

import numpy as np
import pytest

from speechvq.priors.sequence.ngram import Ngram, _discounts

K = 5


def strings(count: int = 30, seed: int = 0) -> list[np.ndarray]:
    """From a random chain of second order."""
    rng = np.random.default_rng(seed)
    shares = np.random.default_rng(99).dirichlet(np.full(K, 0.3), size=(K, K))
    made = []
    for _ in range(count):
        codes = rng.integers(K, size=2).tolist()
        while len(codes) < 40:
            codes.append(int(rng.choice(K, p=shares[codes[-2], codes[-1]])))
        made.append(np.array(codes))
    return made


def kneser_ney(training: list[np.ndarray], order: int, history: list[int], code: int) -> float:
    """Chen and Goodman's recursion by loops over every window; the history is as long as it likes."""
    windows = [
        tuple([K] * (order - 1) + list(string))[i : i + order]
        for string in training
        for i in range(len(string))
    ]
    counts = {window: windows.count(window) for window in set(windows)}
    share = 1 / K
    tables = {order: counts}
    for length in range(order - 1, 0, -1):  # how many different codes stand before each shorter window
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
        share = (kept + taken * share) / sum(after.values())
    return float(share)


@pytest.mark.parametrize("order", [0, 1, 2, 3, 4])
def test_it_equals_the_recursion_by_loops_and_sums_to_one(order: int) -> None:
    training = strings(5)
    ngram, new = Ngram(training, K, order), strings(1, seed=7)[0][:12]
    nats = ngram.nll([new])[0]
    for n in range(len(new)):
        every = [kneser_ney(training, order, new[:n].tolist(), code) for code in range(K)]
        assert sum(every) == pytest.approx(1)
        assert math.exp(-nats[n]) == pytest.approx(every[new[n]])


def test_codes_and_contexts_never_seen_cost_a_finite_number() -> None:
    ngram = Ngram([np.array([0, 1, 0, 1])], 1000, 3)
    nats = np.concatenate(ngram.nll([np.array([999, 998]), np.array([0])]))
    assert np.isfinite(nats).all() and nats[0] > math.log(1000) > nats[2]
    assert np.allclose(Ngram([], K, 0).nll([np.array([1, 2])])[0], math.log(K))
    with pytest.raises(ValueError, match="no codes to count"):
        Ngram([np.empty(0, np.int64)], K, 1)


def test_longer_contexts_help_where_there_is_something_to_know() -> None:
    training, heldout = strings(100), strings(20, seed=1)
    bits = [float(np.concatenate(Ngram(training, K, order).nll(heldout)).mean()) for order in range(5)]
    assert bits[0] == pytest.approx(math.log(K)) and bits[0] > bits[1] > bits[2] > bits[3] + 0.1
    assert abs(bits[4] - bits[3]) < 0.1  # the chain is of second order: more context is no use, and no harm


def test_strings_keep_their_lengths() -> None:
    lengths = [0, 3, 1, 0]
    nats = Ngram(strings(3), K, 2).nll([np.zeros(n, np.uint16) for n in lengths])
    assert [len(each) for each in nats] == lengths
