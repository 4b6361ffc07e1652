"""Sparse tables equal dense ones however often they are joined; intervals cover the truth."""

import numpy as np
import pytest

from speechvq.metrics.bootstrap import UtteranceTables, centered_interval
from speechvq.metrics.units.contingency import label_purity

CODES = 5
ORDER = np.array([2, 0, 1])  # rows of labels 0, 1 and 2


def utterances(count: int, seed: int = 0) -> list[tuple[np.ndarray, np.ndarray, str]]:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(0, 40, size=count)
    return [
        (rng.integers(3, size=n), rng.integers(CODES, size=n), f"speaker {i % 3}")
        for i, n in enumerate(lengths)
    ]


def counted(each: list[tuple[np.ndarray, np.ndarray, str]], capacity: int = 10**6) -> UtteranceTables:
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
def test_counts_equal_loops_however_often_tables_are_joined(capacity: int) -> None:
    every = utterances(60)
    tables = counted(every, capacity)
    assert (tables.table(ORDER)[0] == dense(every)).all()
    parts = tables.table(ORDER, lambda group: int(group[-1]), num_parts=3)
    for part in range(3):
        assert (parts[part] == dense(every[part::3])).all()
    assert (len(tables) == 60) == (capacity == 10**6) and tables.groups == {
        "speaker 0",
        "speaker 1",
        "speaker 2",
    }


def test_memory_is_bounded() -> None:
    """A thousand utterances with room for 100 cells: never more than twice one table a group and the room."""
    tables = UtteranceTables(CODES, capacity=100)
    for labels, codes, group in utterances(1000):
        tables.add(labels, codes, group=group)
        assert sum(map(len, tables._cells)) <= max(100, 2 * 3 * 3 * CODES)


def test_a_resampled_table_is_a_sum_of_utterances() -> None:
    every = [(np.full(10**i, i), np.full(10**i, i), "") for i in range(3)]
    (drawn,) = counted(every).resample(np.arange(3), num_resamples=200)
    assert drawn.shape == (1, 200, 3, 3)  # of 5 codes 3 occur
    times = np.stack([drawn[0, :, i, i] // 10**i for i in range(3)], axis=1)
    assert (times.sum(axis=1) == 3).all() and (drawn[0].sum(axis=(1, 2)) == times @ [1, 10, 100]).all()
    assert times.mean(axis=0) == pytest.approx([1, 1, 1], abs=0.15)


def test_draws_are_seeded_and_in_pieces_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    tables = counted(utterances(20))

    def draw(seed: int) -> np.ndarray:
        parts = tables.resample(ORDER, lambda group: int(group[-1]), num_parts=3, num_resamples=30, seed=seed)
        return np.concatenate(list(parts), axis=1)

    whole = draw(0)
    assert whole.shape == (3, 30, 3, CODES) and (whole != draw(1)).any()
    monkeypatch.setattr("speechvq.metrics.bootstrap._CELLS_AT_ONCE", 200)
    assert (draw(0) == whole).all()


def test_an_interval_holds_its_estimate_and_stays_in_bounds() -> None:
    values = np.random.default_rng(0).normal(5, 1, size=10_000)
    low, high = centered_interval([values[:10], values[10:]], 3.0, (0.0, 4.5))
    assert (low, high) == (pytest.approx(3 - 1.96, abs=0.1), 4.5)
    assert centered_interval([np.full(3, np.nan)], 1.0, (0, 1)) is None
    assert centered_interval([], 1.0, (0, 1)) is None
    assert centered_interval([values], np.nan, (0, 1)) is None


def test_intervals_of_the_mean_cover_it() -> None:
    """Corpora of 40 utterances of very different purity: about 95 % of the intervals hold the true value."""
    rng, held = np.random.default_rng(1), 0
    for trial in range(100):
        tables = UtteranceTables(2)
        for skill in rng.random(40):  # mean purity 0.75 by the map 0 to 0, 1 to 1
            labels = rng.integers(2, size=50)
            tables.add(labels, np.where(rng.random(50) < 0.5 + skill / 2, labels, 1 - labels))
        draws = [
            label_purity(each[0]) for each in tables.resample(np.arange(2), num_resamples=100, seed=trial)
        ]
        low, high = centered_interval(draws, float(label_purity(tables.table(np.arange(2))[0])), (0, 1))
        held += low <= 0.75 <= high
    assert 0.88 <= held / 100 <= 1
