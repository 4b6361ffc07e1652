"""N-grams over the neighbors of a grid's codes."""

import math

import numpy as np
import pytest

from speechvq.priors.grid.neighbor_ngram import NEIGHBORS, NeighborNgram


def grids_of(count: int, seed: int = 0) -> np.ndarray:
    """Grids whose codes mostly equal the one above, (count, 6, 5) in [0, 4)."""
    rng = np.random.default_rng(seed)
    grids = rng.integers(0, 4, (count, 6, 5))
    for row in range(1, 6):
        same = rng.random((count, 5)) < 0.9
        grids[:, row] = np.where(same, grids[:, row - 1], grids[:, row])
    return grids


@pytest.mark.parametrize("order", range(len(NEIGHBORS) + 2))
def test_probabilities_sum_to_one_whatever_the_neighbors(order: int) -> None:
    """The last position is the last in raster order, so each of its values gives a whole distribution."""
    model, grid = NeighborNgram(grids_of(50), 4, order), grids_of(1, seed=9)
    with_each = np.repeat(grid, 4, 0)
    with_each[:, -1, -1] = range(4)
    nll = model.nll_per_grid(with_each)
    rest = nll.min() - 50  # any common offset: only differences between the four values are used
    assert np.isfinite(nll).all() and nll.shape == (4,)
    without = NeighborNgram(grids_of(50), 4, order)._probabilities(*model._windows(list(with_each)))
    last = without.reshape(4, -1)[:, -1]
    assert last.sum() == pytest.approx(1) and np.ptp(nll - rest + np.log(last)) < 1e-9


def test_a_neighbor_that_tells_the_code_shortens_it() -> None:
    """The code above tells most; with the left one alone little is gained over unigrams."""
    training, heldout = grids_of(200), grids_of(40, seed=1)
    bits = [
        NeighborNgram(training, 4, order).nll_per_grid(heldout).sum() / heldout.size / math.log(2)
        for order in range(4)
    ]
    assert bits[0] == pytest.approx(2) and bits[1] == pytest.approx(2, abs=0.05)
    assert bits[2] > 1.8 and bits[3] < 1.1


def test_later_codes_do_not_count() -> None:
    model, grids = NeighborNgram(grids_of(50), 4, 5), grids_of(2, seed=3)
    changed = grids.copy()
    changed[:, 3:] = 0
    probabilities = [
        model._probabilities(*model._windows(list(each))).reshape(2, 6, 5) for each in (grids, changed)
    ]
    assert np.array_equal(probabilities[0][:, :3], probabilities[1][:, :3])


def test_there_is_no_order_above_the_neighbors() -> None:
    with pytest.raises(ValueError, match="expected an order of 0 to 5, got 6"):
        NeighborNgram(grids_of(2), 4, 6)
