"""Metrics of tables equal hand-worked values, scikit-learn and loops, in any order."""

import numpy as np
import pytest
from sklearn.metrics import homogeneity_score
from sklearn.metrics.cluster import contingency_matrix

from helpers import reference
from speechvq.metrics.units import contingency

# Ten frames: code 0 is AA four times and B once, code 1 is B twice and AA once, code 2 is S twice.
BY_HAND = np.array([[4, 1, 0], [1, 2, 0], [0, 0, 2]])


def draw(seed: int, frames: int = 300, phones: int = 7, codes: int = 11) -> tuple[np.ndarray, np.ndarray]:
    """Phones and codes of frames, dependent on each other."""
    rng = np.random.default_rng(seed)
    phone = rng.integers(phones, size=frames)
    return phone, np.where(rng.random(frames) < 0.5, phone, rng.integers(codes, size=frames))


def test_a_table_by_hand() -> None:
    assert contingency.majority_prior(BY_HAND) == 5 / 10
    assert contingency.label_purity(BY_HAND) == (4 + 2 + 2) / 10
    assert contingency.cluster_purity(BY_HAND) == (4 + 2 + 2) / 10
    assert contingency.active_codes(BY_HAND) == 3
    code = -(0.5 * np.log2(0.5) + 0.3 * np.log2(0.3) + 0.2 * np.log2(0.2))  # of phones too: 5, 3 and 2
    both = -(0.4 * np.log2(0.4) + 2 * 0.1 * np.log2(0.1) + 2 * 0.2 * np.log2(0.2))
    assert contingency.code_entropy(BY_HAND) == pytest.approx(code, abs=1e-12)
    assert contingency.pnmi(BY_HAND) == pytest.approx((2 * code - both) / code, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_metrics_equal_loops_and_scikit_learn(seed: int) -> None:
    phones, codes = draw(seed)
    table = contingency_matrix(phones, codes)
    expected = reference.phone_scores([str(phone) for phone in phones], codes.tolist())
    assert contingency.majority_prior(table) == pytest.approx(expected["majority_prior"], abs=1e-12)
    assert contingency.label_purity(table) == pytest.approx(expected["phone_purity"], abs=1e-12)
    assert contingency.cluster_purity(table) == pytest.approx(expected["cluster_purity"], abs=1e-12)
    assert 2 ** contingency.code_entropy(table) == pytest.approx(expected["perplexity"], abs=1e-9)
    assert contingency.pnmi(table) == pytest.approx(expected["pnmi"], abs=1e-12)
    assert contingency.pnmi(table) == pytest.approx(homogeneity_score(phones, codes), abs=1e-12)


def test_metrics_do_not_depend_on_order_and_absent_labels() -> None:
    table = contingency_matrix(*draw(1))
    rng = np.random.default_rng(0)
    mixed = table[rng.permutation(len(table))][:, rng.permutation(table.shape[1])]
    wider = np.pad(mixed, ((2, 0), (1, 3)))
    for metric in (
        contingency.majority_prior,
        contingency.label_purity,
        contingency.cluster_purity,
        contingency.pnmi,
        contingency.code_entropy,
        contingency.active_codes,
    ):
        assert metric(mixed) == pytest.approx(metric(table), abs=1e-12)
        assert metric(wider) == pytest.approx(metric(table), abs=1e-12)
    halves = table // 2, table - table // 2
    again = tuple(np.pad(half, ((2, 0), (1, 3))) for half in halves)
    assert contingency.held_out_purity(*again) == pytest.approx(contingency.held_out_purity(*halves))


def test_stacked_tables_equal_single_tables() -> None:
    tables = np.random.default_rng(0).integers(0, 5, (2, 3, 4, 6))
    for metric in (contingency.label_purity, contingency.pnmi, contingency.code_entropy):
        expected = [[metric(table) for table in row] for row in tables]
        np.testing.assert_allclose(metric(tables), expected, atol=1e-12)


def test_no_frames_and_one_label() -> None:
    none = np.zeros((2, 3), int)
    for metric in (contingency.majority_prior, contingency.label_purity, contingency.pnmi):
        assert np.isnan(metric(none)) and np.isnan(metric(none[:0]))
    assert np.isnan(contingency.code_entropy(none)) and contingency.active_codes(none) == 0
    assert contingency.pnmi(np.array([[3, 4]])) == 1 == homogeneity_score([0] * 7, [0] * 3 + [1] * 4)
    for pair in ((none, none + 1), (none + 1, none), (none[:0], none[:0])):
        assert np.isnan(contingency.held_out_purity(*pair))


@pytest.mark.parametrize("seed", range(6))
def test_held_out_purity_equals_loops(seed: int) -> None:
    """Few frames, so that ties and codes in only one half occur."""
    rng = np.random.default_rng(seed)
    pairs = [("ABC"[a], int(b)) for a, b in zip(rng.integers(3, size=24), rng.integers(8, size=24))]
    tables = np.zeros((2, 3, 8), int)
    for i, (phone, code) in enumerate(pairs):
        tables[i % 2, "ABC".index(phone), code] += 1
    right = reference.held_out_purity(pairs[::2], pairs[1::2])
    right += reference.held_out_purity(pairs[1::2], pairs[::2])
    assert contingency.held_out_purity(*tables) == pytest.approx(right / 24, abs=1e-12)


def test_shuffled_tables_have_the_sums_mean_and_variance_of_permutations() -> None:
    phones, codes = draw(3, frames=60, phones=3, codes=4)
    table = contingency_matrix(phones, codes)
    rng = np.random.default_rng(0)
    by_hand = np.stack([contingency_matrix(phones, rng.permutation(codes)) for _ in range(400)])
    drawn = np.stack([contingency.shuffled(table, seed=seed) for seed in range(400)])
    assert (drawn.sum(1) == table.sum(0)).all() and (drawn.sum(2) == table.sum(1)).all()
    np.testing.assert_allclose(drawn.mean(0), by_hand.mean(0), atol=0.35)
    np.testing.assert_allclose(drawn.std(0), by_hand.std(0), atol=0.25)
    assert (contingency.shuffled(table, seed=1) == drawn[1]).all()


def test_shuffling_too_many_frames_gives_the_mean() -> None:
    mixed = contingency.shuffled(BY_HAND * 10**9)
    np.testing.assert_allclose(mixed, np.outer([5, 3, 2], [0.5, 0.3, 0.2]) * 1e9)
    assert contingency.pnmi(mixed) == pytest.approx(0, abs=1e-9)
