"""Distances and aligned pairs equal the textbook recursion."""

import math
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from speechvq.metrics.edit_distance import aligned_pairs, distance, error_rate

PHONES = st.lists(st.sampled_from("abc"), max_size=8)


def by_recursion(first: list[str], second: list[str]) -> int:
    @cache
    def cost(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        pair = cost(i - 1, j - 1) + (first[i - 1] != second[j - 1])
        return min(pair, cost(i - 1, j) + 1, cost(i, j - 1) + 1)

    return cost(len(first), len(second))


@given(PHONES, PHONES)
def test_distance_and_pairs(first: list[str], second: list[str]) -> None:
    assert distance(first, second) == by_recursion(first, second) == distance(second, first)
    pairs = aligned_pairs(first, second)
    assert pairs == sorted(pairs) and len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
    wrong = sum(first[i] != second[j] for i, j in pairs)
    assert wrong + len(first) + len(second) - 2 * len(pairs) == by_recursion(first, second)


def test_by_hand() -> None:
    assert distance("kitten", "sitting") == 3 and distance("", "") == 0
    assert error_rate("abcd", "abd") == 0.25 and error_rate("a", "bcd") == 3
    assert error_rate("a", "") == 1 and math.isnan(error_rate("", "a"))
    assert aligned_pairs("abcd", "xabd") == [(0, 1), (1, 2), (3, 3)]
