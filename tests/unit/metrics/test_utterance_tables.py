"""Sparse tables equal dense ones after any number of merges; bootstrap intervals cover the true value."""

import numpy as np
import pytest

from speechvq.metrics.bootstrap import centered_interval
from speechvq.metrics.units.contingency import label_purity
from speechvq.metrics.units.utterance_tables import UtteranceTables

CODES = 5
ORDER = np.array([2, 0, 1])  # rows of labels 0, 1 and 2


def utterances(number: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, str]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 40, size=number)
    return [
        (rng.integers(3, size=n), rng.integers(CODES, size=n), f"speaker {i % 3}")
        for i, n in enumerate(lengths)
    ]


def count(each: list[tuple[np.ndarray, np.ndarray, str]], capacity: int = 10**6) -> UtteranceTables:
    tables = UtteranceTables(CODES, capacity=capacity)
    for labels, codes, group in each:
        tables.add(labels, codes, group=group)
    return tables


def dense(each: list[tuple[np.ndarray, np.ndarray, str]]) -> np.ndarray:
    table = np.zeros((3, CODES), int)
    for labels, codes, _ in each:
        for label, code in zip(labels, codes):
            table[ORDER[label], code] += 1
    return table


@pytest.mark.parametrize("capacity", [1, 50, 200, 10**6])
def test_counts_equal_loops_after_any_number_of_merges(capacity: int) -> None:
    every = utterances(60)
    tables = count(every, capacity)
    assert (tables.table(ORDER)[0] == dense(every)).all()
    parts = tables.table(ORDER, lambda group: int(group[-1]), num_parts=3)
    for part in range(3):
        assert (parts[part] == dense(every[part::3])).all()
    assert (len(tables) == 60) == (capacity == 10**6)
    assert tables.groups == {"speaker 0", "speaker 1", "speaker 2"}


def test_memory_is_bounded() -> None:
    """1000 utterances with a capacity of 100 cells: at most the capacity, or two full tables per group."""
    tables = UtteranceTables(CODES, capacity=100)
    for labels, codes, group in utterances(1000):
        tables.add(labels, codes, group=group)
        assert sum(map(len, tables._cells)) <= max(100, 2 * 3 * 3 * CODES)


def test_a_resampled_table_is_a_sum_of_utterances() -> None:
    every = [(np.full(10**i, i), np.full(10**i, i), "") for i in range(3)]
    (drawn,) = count(every).resample(np.arange(3), num_resamples=200)
    assert drawn.shape == (1, 200, 3, 3)  # 3 of 5 codes occur
    times = np.stack([drawn[0, :, i, i] // 10**i for i in range(3)], axis=1)
    assert (times.sum(axis=1) == 3).all() and (drawn[0].sum(axis=(1, 2)) == times @ [1, 10, 100]).all()
    assert times.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.15)


def test_draws_depend_on_the_seed_and_not_on_the_chunk_size(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = count(utterances(20))

    def draw(seed: int) -> np.ndarray:
        parts = tables.resample(ORDER, lambda group: int(group[-1]), num_parts=3, num_resamples=30, seed=seed)
        return np.concatenate(list(parts), axis=1)

    whole = draw(0)
    assert whole.shape == (3, 30, 3, CODES) and (whole != draw(1)).any()
    monkeypatch.setattr("speechvq.metrics.units.utterance_tables._MAX_RESAMPLED_CELLS", 200)
    assert (draw(0) == whole).all()


def test_intervals_cover_the_true_value() -> None:
    """Corpora of 40 utterances of very different purity: about 95 % of the intervals cover the true value."""
    rng, covered = np.random.default_rng(1), 0
    for trial in range(100):
        tables = UtteranceTables(2)
        for skill in rng.random(40):  # mean purity 0.75 by the map 0 to 0, 1 to 1
            labels = rng.integers(2, size=50)
            tables.add(labels, np.where(rng.random(50) < 0.5 + skill / 2, labels, 1 - labels))
        draws = [
            label_purity(each[0]) for each in tables.resample(np.arange(2), num_resamples=100, seed=trial)
        ]
        low, high = centered_interval(draws, float(label_purity(tables.table(np.arange(2))[0])), (0, 1))
        covered += low <= 0.75 <= high
    assert 0.88 <= covered / 100 <= 1
