"""Code statistics: equal samples have no divergence, disjoint samples one bit."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon

from speechvq.metrics.units.code_length import code_length
from speechvq.metrics.units.code_statistics import (
    bigrams,
    code_divergences,
    jensen_shannon,
    most_likely_phones,
    run_lengths,
)


def test_divergence_of_known_samples() -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(9, size=80), rng.integers(4, 15, size=50)
    p, q = (np.bincount(each, minlength=15) for each in (one, other))
    assert jensen_shannon(one, other) == pytest.approx(jensenshannon(p, q, base=2) ** 2)
    assert jensen_shannon(one, rng.permutation(one)) == pytest.approx(0, abs=1e-12)
    assert jensen_shannon(one, one + 20) == pytest.approx(1)
    with pytest.raises(ValueError, match="empty"):
        jensen_shannon(one, one[:0])


def test_bigrams_and_runs_do_not_cross_strings() -> None:
    strings = [
        np.array([1, 1, 2], np.uint16),
        np.array([2], np.uint16),
        np.array([], np.uint16),
        np.array([0, 3]),
    ]
    assert bigrams(strings, 1000).tolist() == [1001, 1002, 3]
    assert run_lengths(strings).tolist() == [2, 1, 1, 1, 1]
    assert bigrams([], 5).tolist() == [] == run_lengths([]).tolist()


def chain(rng: np.random.Generator, length: int) -> np.ndarray:
    """Codes that increase by one after five frames on average."""
    return np.cumsum(rng.random(length) < 0.2) % 8


def test_similar_codes_have_small_divergences() -> None:
    rng = np.random.default_rng(0)
    real, good = [chain(rng, 400) for _ in range(20)], [chain(rng, 400) for _ in range(8)]
    found = code_divergences(good, real, 8)
    assert set(found) == {"unigrams", "bigrams", "runs"}
    for each in found.values():
        assert each["generated"] < 0.05 and each["real"] < 0.05
    assert found["bigrams"]["uniform"] > 0.4 and found["runs"]["uniform"] > 0.3
    shuffled = code_divergences([rng.permutation(string) for string in good], real, 8)
    assert shuffled["unigrams"]["generated"] < 0.05 and shuffled["bigrams"]["generated"] > 0.4
    assert code_divergences(good, real, 8) == found and code_divergences(good, real, 8, seed=1) != found
    for generated, reals in ((good, real[:1]), ([], real)):
        with pytest.raises(ValueError):
            code_divergences(generated, reals, 8)


def test_every_code_gets_its_most_frequent_phone() -> None:
    codes = [np.array([0, 0, 0, 1, 2], np.uint16), np.array([1, 1])]
    phones = [["A", "A", "B", "B", None], ["B", "S"]]
    assert most_likely_phones(codes, phones, 4) == ["A", "B", "B", "B"]  # 2 and 3 get the most frequent phone
    with pytest.raises(ValueError, match="no frame"):
        most_likely_phones(codes, [[None] * 5, [None] * 2], 4)


def test_code_length_is_a_mean_over_codes_with_an_interval() -> None:
    rng = np.random.default_rng(0)
    nats = [rng.exponential(2.0, size=n) for n in rng.integers(5, 50, size=40)]
    length = code_length(nats, 50.0)
    bits = float(np.concatenate(nats).mean()) / math.log(2)
    assert length.bits == pytest.approx(bits) and length.bits_per_second == pytest.approx(50 * bits)
    assert length.low < bits < length.high and length.high - length.low < 0.6
    assert code_length(nats, 50.0) == length
    uniform = code_length([np.full(7, math.log(8))] * 2, 50.0)
    assert uniform[:3] == pytest.approx((3, 3, 3))
    with pytest.raises(ValueError, match="no codes"):
        code_length([np.empty(0)], 50.0)
