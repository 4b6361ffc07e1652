"""ABX equals loops over its definition, scores 50 % for noise, and 0 for codes that equal the phones."""

import math
from collections.abc import Callable, Sequence

import numpy as np
import pytest

from speechvq.alignment.intervals import Interval
from speechvq.metrics.dtw import dtw_distances
from speechvq.metrics.units.abx import AbxOptions, abx_error
from speechvq.metrics.units.abx_items import Item, find_items
from speechvq.metrics.units.frame_distance import angular, codebook_angular, identical

OPTIONS = [
    AbxOptions(speakers, context, None, None)
    for speakers in ("within", "across")
    for context in ("within", "any")
]


def make_items(count: int, seed: int = 0, longest: int = 6, speakers: str = "xyz") -> list[Item]:
    """Consecutive items of four phones in two contexts, one to six frames each."""
    rng, items, first = np.random.default_rng(seed), [], 0
    for _ in range(count):
        phone, context = "ABCD"[rng.integers(4)], [("p", "q"), ("q", "p")][rng.integers(2)]
        end = first + int(rng.integers(1, longest + 1))
        items.append(Item(phone, context, speakers[rng.integers(len(speakers))], first, end))
        first = end
    return items


def warp_by_loops(x: Sequence, y: Sequence, cost: Callable) -> float:
    """The definition: cost of the best path, divided by its length; ties as in torchdtw."""
    total: dict[tuple[int, int], float] = {}
    for i in range(len(x)):
        for j in range(len(y)):
            steps = [total[step] for step in ((i - 1, j), (i - 1, j - 1), (i, j - 1)) if step in total]
            total[i, j] = cost(x[i], y[j]) + (min(steps) if steps else 0)
    path = [(len(x) - 1, len(y) - 1)]
    while path[-1] != (0, 0):
        i, j = path[-1]
        steps = [step for step in ((i - 1, j - 1), (i, j - 1), (i - 1, j)) if step in total]
        path.append(min(steps, key=lambda step: total[step]))  # the first of equals
    return total[path[0]] / len(path)


def abx_by_loops(items: list[Item], frames: np.ndarray, cost: Callable, options: AbxOptions) -> float:
    """The definition, triple by triple."""
    segments = [list(frames[item.first : item.end]) for item in items]
    warped = [[warp_by_loops(x, y, cost) for y in segments] for x in segments]
    cells: dict[tuple, list[float]] = {}
    for x, item_x in enumerate(items):
        for a, item_a in enumerate(items):
            same_voice = item_a.speaker == item_x.speaker
            if a == x or item_a.phone != item_x.phone or same_voice != (options.speakers == "within"):
                continue
            for b, item_b in enumerate(items):
                contexts = {item.context for item in (item_a, item_b, item_x)}
                if item_b.phone == item_a.phone or item_b.speaker != item_a.speaker:
                    continue
                if options.context == "within" and len(contexts) > 1:
                    continue
                context = item_a.context if options.context == "within" else ()
                key = (item_a.phone, item_b.phone, item_a.speaker, context, item_x.speaker)
                near, far = warped[x][a], warped[x][b]
                cells.setdefault(key, []).append(float(far < near) + 0.5 * float(far == near))
    by_speaker: dict[tuple, list[float]] = {}
    for key, wrong in cells.items():
        by_speaker.setdefault(key[:3], []).append(sum(wrong) / len(wrong))
    by_pair: dict[tuple, list[float]] = {}
    for key, errors in by_speaker.items():
        by_pair.setdefault(key[:2], []).append(sum(errors) / len(errors))
    return sum(sum(errors) / len(errors) for errors in by_pair.values()) / len(by_pair)


def angle(x: np.ndarray, y: np.ndarray) -> float:
    cosine = sum(x * y) / math.sqrt(sum(x * x) * sum(y * y))
    return math.acos(min(max(cosine, -1), 1)) / math.pi


@pytest.mark.parametrize("options", OPTIONS)
def test_error_of_features_equals_the_definition(options: AbxOptions) -> None:
    items = make_items(50)
    frames = np.random.default_rng(1).standard_normal((items[-1].end, 5))
    score = abx_error(items, angular(frames), options)
    assert score.error == pytest.approx(abx_by_loops(items, frames, angle, options), abs=1e-12)
    assert score.low <= score.error <= score.high


@pytest.mark.parametrize("options", OPTIONS)
def test_error_of_codes_equals_the_definition_with_ties(options: AbxOptions) -> None:
    items = make_items(50, seed=3)
    codes = np.random.default_rng(1).integers(3, size=items[-1].end)
    score = abx_error(items, identical(codes), options)
    assert score.error == pytest.approx(
        abx_by_loops(items, codes, lambda x, y: float(x != y), options), abs=1e-12
    )


@pytest.mark.parametrize("seed", range(5))
def test_dtw_equals_the_definition(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lengths = rng.integers(1, 9, size=20)
    starts = np.cumsum([0, *lengths])
    costs = rng.integers(3, size=(int(rng.integers(1, 9)), starts[-1])).astype(float)  # many ties
    expected = [
        warp_by_loops(range(len(costs)), range(low, high), lambda i, j: costs[i, j])
        for low, high in zip(starts, starts[1:])
    ]
    assert dtw_distances(costs, starts).tolist() == expected


def test_codebook_distance_equals_the_distance_of_vectors() -> None:
    items = make_items(60)
    rng = np.random.default_rng(1)
    codes, codebook = rng.integers(40, size=items[-1].end), rng.standard_normal((50, 6))
    by_table = codebook_angular(codes, codebook)(np.arange(3, 9), np.arange(20, 40))
    np.testing.assert_allclose(
        by_table, angular(codebook[codes])(np.arange(3, 9), np.arange(20, 40)), atol=1e-7
    )
    assert (by_table[codes[3:9, None] == codes[20:40]] == 0).all()
    scores = [
        abx_error(items, each, OPTIONS[3]).error
        for each in (codebook_angular(codes, codebook), identical(codes))
    ]
    assert 0.3 < min(scores) and max(scores) < 0.7


@pytest.mark.parametrize("options", OPTIONS)
def test_noise_is_chance_and_phone_codes_have_no_error(options: AbxOptions) -> None:
    items = make_items(300, seed=2)
    frames = np.random.default_rng(0).standard_normal((items[-1].end, 8))
    assert abx_error(items, angular(frames), options).error == pytest.approx(0.5, abs=0.03)
    codes = np.concatenate([np.full(item.end - item.first, "ABCD".index(item.phone)) for item in items])
    assert abx_error(items, identical(codes), options).error == 0
    assert abx_error(items, angular(np.eye(4)[codes]), options).error == 0
    constant = abx_error(items, identical(np.zeros_like(codes)), options)
    assert (constant.error, constant.low, constant.high) == (0.5, 0.5, 0.5)


def test_error_does_not_depend_on_names_and_order() -> None:
    items = make_items(80)
    frames = np.random.default_rng(0).standard_normal((items[-1].end, 4))
    renamed = [item._replace(phone=dict(zip("ABCD", "DBAC"))[item.phone]) for item in items]
    for options in OPTIONS:
        error = abx_error(items, angular(frames), options).error
        assert abx_error(items[::-1], angular(frames), options).error == pytest.approx(error, abs=1e-12)
        assert abx_error(renamed, angular(frames), options).error == pytest.approx(error, abs=1e-12)


def test_groups_are_chosen_by_the_seed() -> None:
    items = make_items(400, speakers="stuvwxyz")
    frames = np.random.default_rng(0).standard_normal((items[-1].end, 4))
    for speakers in ("within", "across"):
        all_options = [AbxOptions(speakers, "any", 3, 2, seed) for seed in (0, 0, 1)]
        one, same, other = (abx_error(items, angular(frames), options) for options in all_options)
        assert one == same and one.error != other.error
        whole = abx_error(items, angular(frames), AbxOptions(speakers, "any", None, None))
        assert one.triples < whole.triples / 3 and one.pairs == whole.pairs == 12


def test_triples_are_counted() -> None:
    items = [
        Item(phone, ("p", "q"), "xy"[k], 4 * i + 2 * k, 4 * i + 2 * k + 1)
        for i, phone in enumerate("AAB")
        for k in (0, 1)
    ]
    frames = np.random.default_rng(0).standard_normal((20, 4))
    within = abx_error(items, angular(frames), AbxOptions("within"))
    assert (within.pairs, within.cells, within.triples) == (1, 2, 4)  # B occurs once, so it cannot be A
    across = abx_error(items, angular(frames), AbxOptions("across"))
    assert (across.pairs, across.cells, across.triples) == (2, 4, 2 * 4 + 2 * 2)


def test_no_cells_give_nan() -> None:
    for items in ([], make_items(5, speakers="x")[:1]):
        score = abx_error(items, identical(np.zeros(99, int)), AbxOptions("across"))
        assert math.isnan(score.error) and math.isnan(score.low) and score.cells == 0


def test_items() -> None:
    phones = [
        ("SIL", 0.1),
        ("A", 0.05),
        ("B", 0.05),
        ("C", 0.1),
        ("spn", 0.1),
        ("D", 0.1),
        ("E", 0.2),
        ("F", 0.1),
    ]
    ends = np.cumsum([0, *(seconds for _, seconds in phones)])
    intervals = [Interval(*bounds, phone) for bounds, (phone, _) in zip(zip(ends, ends[1:]), phones)]
    found, dropped = find_items(intervals, "x", 100, 100, "triphone")
    assert found == [Item("B", ("A", "C"), "x", 10, 30), Item("E", ("D", "F"), "x", 40, 80)] and dropped == 0
    assert find_items(intervals, "x", 100, 100, "phoneme")[0][0] == Item("B", ("A", "C"), "x", 15, 20)
    assert find_items(intervals, "x", 79, 100, "triphone") == (found[:1], 1)  # beyond the last frame
    assert find_items(intervals, "x", 100, 5, "phoneme")[1] == 1  # B has no frame; E has two
    apart = [*intervals[:2], Interval(0.16, 0.2, "B"), *intervals[3:]]
    assert find_items(apart, "x", 100, 100, "triphone")[0] == found[1:]


def test_items_include_both_ends() -> None:
    """Frames 5 and 7 at 50 Hz have their centers at 0.11 and 0.15 s."""
    intervals = [Interval(0.0, 0.11, "A"), Interval(0.11, 0.15, "B"), Interval(0.15, 0.2, "C")]
    assert find_items(intervals, "x", 10, 50, "phoneme")[0] == [Item("B", ("A", "C"), "x", 5, 8)]


def test_zero_vectors_have_finite_distances() -> None:
    frames = np.array([[0.0, 0, 0], [1, 1, 1], [-1, -1, -1], [1, -1, 0]])
    np.testing.assert_allclose(angular(frames)(np.arange(1), np.arange(4)), [[0, 0, 1, 0.5]], atol=1e-7)
