"""Products of rows with panels: equal to numpy for any number of streams, without side effects."""

import sys
from typing import NamedTuple

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError

from helpers.weight_panels import half_step, unpack_panels
from speechvq.speech.sampling.matmul_kernels import (
    NARROW,
    STREAMS,
    WIDE,
    add_product,
    borrowed,
    pack_pairs,
    pack_panels,
    row,
)

ODD = [(1, 1), (3, 5), (64, 128), (7, 16), (5, 65), (33, 191)]  # inputs, outputs


def panels(weight: np.ndarray, width: int, *, paired: bool) -> np.ndarray:
    return pack_pairs(weight, width) if paired else pack_panels(weight, width)


def check_product(inputs: int, outputs: int, streams: int, width: int, *, paired: bool) -> None:
    """Rows at odd offsets and distances, surrounded by values that must not be written (y) or read (x, w)."""
    rng = np.random.default_rng((inputs, outputs, streams))
    inputs, room = inputs * (2 if paired else 1), -(-outputs // width) * width
    packed = panels(rng.standard_normal((inputs, outputs)).astype(np.float32), width, paired=paired)
    weight = unpack_panels(packed, (inputs, outputs), width)
    y_at, y_step, x_at, x_step, w_at = 5, room + 3, 2, inputs + 1, 11
    y = rng.standard_normal(y_at + streams * y_step).astype(np.float32)
    x = np.full(x_at + streams * x_step, np.nan, np.float32)
    expected = y.astype(np.float64)
    for stream in range(streams):
        row = rng.standard_normal(inputs).astype(np.float32)
        x[x_at + stream * x_step :][:inputs] = row
        expected[y_at + stream * y_step :][:outputs] += row @ weight
    guard = np.full(w_at, np.nan, np.float32).view(packed.dtype)
    w = np.concatenate([guard, packed, guard])
    before = y.copy()
    depth = inputs // 2 if paired else inputs
    add_product(y, y_at, y_step, x, x_at, x_step, w, w_at, depth, outputs, streams, width)
    assert np.allclose(y, expected, rtol=1e-5, atol=1e-5 * np.sqrt(inputs))
    rest = np.ones(len(y), bool)
    for stream in range(streams):
        rest[y_at + stream * y_step :][:outputs] = False
    assert np.array_equal(y[rest], before[rest])


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.parametrize("streams", range(1, 2 * STREAMS + 2))
def test_several_rows_equal_numpy(streams: int, paired: bool) -> None:
    for inputs, outputs in ODD:
        check_product(inputs, outputs, streams, NARROW, paired=paired)


@pytest.mark.parametrize("paired", [False, True])
def test_one_row_in_wide_panels_equals_numpy(paired: bool) -> None:
    for inputs, outputs in ODD:
        check_product(inputs, outputs, 1, WIDE, paired=paired)


@pytest.mark.parametrize("paired", [False, True])
def test_a_row_does_not_depend_on_the_other_rows(paired: bool) -> None:
    """To the last bit: the order of the sums does not depend on panels or rows."""
    rng = np.random.default_rng(0)
    weight, x = (
        rng.standard_normal((12, 70)).astype(np.float32),
        rng.standard_normal((13, 12)).astype(np.float32),
    )
    depth = 6 if paired else 12

    def product(streams: int, width: int) -> np.ndarray:
        y = np.zeros(streams * 128, np.float32)
        add_product(
            y, 0, 128, x.ravel(), 0, 12, panels(weight, width, paired=paired), 0, depth, 70, streams, width
        )
        return y.reshape(streams, 128)[:, :70]

    alone = product(1, WIDE)
    for streams in range(1, 14):
        assert np.array_equal(product(streams, NARROW)[:1], alone)


def test_depth_zero_adds_nothing() -> None:
    y = np.arange(64, dtype=np.float32)
    add_product(y, 0, 64, np.empty(0, np.float32), 0, 0, np.empty(0, np.float32), 0, 0, 3, 1, WIDE)
    assert np.array_equal(y, np.arange(64))


@pytest.mark.parametrize("width", [NARROW, WIDE])
@pytest.mark.parametrize("shape", [(1, 1), (6, 70), (5, 64)])
def test_panels_hold_the_matrix_and_zeros(shape: tuple[int, int], width: int) -> None:
    weight = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    packed = pack_panels(weight, width)
    assert packed.shape == (shape[0] * -(-shape[1] // width) * width,) and packed.dtype == np.float32
    assert np.array_equal(unpack_panels(packed, shape, width), weight)
    assert (packed != 0).sum() == weight.size


@pytest.mark.parametrize("width", [NARROW, WIDE])
def test_pairs_are_rounded_to_the_nearest_representable(width: int) -> None:
    """Both are within half a step of bfloat16, although the first includes the bits of the second."""
    rng = np.random.default_rng(1)
    weight = (rng.standard_normal((40, 70)) * 10.0 ** rng.integers(-20, 20, (40, 70))).astype(np.float32)
    weight[:4, 0] = 1.0, -1.0, 2.0 - 2.0**-20, -(2.0 - 2.0**-20)  # at the edge of a step twice as long
    packed = pack_pairs(weight, width)
    assert packed.shape == (20 * -(-70 // width) * width,) and packed.dtype == np.uint32
    used = unpack_panels(packed, weight.shape, width)
    steps = np.maximum(half_step(weight), half_step(used))
    assert (np.abs(used - weight) <= steps).all()
    assert np.abs(used - weight).max() > 0


@pytest.mark.parametrize("second", [0.0, -0.0, 1.5, -1.5, 3e38, -3e38])
@pytest.mark.parametrize("first", [0.0, -0.0, 1e-45, -1e-45, 1e-40, -1e-40, 3.4e38, -3.4e38])
def test_pairs_of_extreme_values_stay_finite(first: float, second: float) -> None:
    used = unpack_panels(pack_pairs(np.array([[first], [second]], np.float32), NARROW), (2, 1), NARROW)[:, 0]
    assert np.isfinite(used).all()
    assert abs(used[0] - np.float32(first)) <= max(2.0**-8 * abs(first), 1e-38)
    assert abs(used[1] - np.float32(second)) <= 2.0**-8 * abs(second)


class Arrays(NamedTuple):
    values: np.ndarray
    count: int


@njit
def _double_second_row(arrays):  # type: ignore[no-untyped-def]
    arrays = borrowed(arrays)
    second = row(arrays.values, arrays.count, arrays.count)
    for n in range(len(second)):
        second[n] *= 2
    return second.sum()


def test_borrowed_rows_are_parts_of_the_array_and_keep_no_reference() -> None:
    values = np.arange(12, dtype=np.float32).reshape(3, 4)
    references = sys.getrefcount(values)
    assert _double_second_row(Arrays(values, 4)) == 2 * (4 + 5 + 6 + 7)
    assert np.array_equal(values, [[0, 1, 2, 3], [8, 10, 12, 14], [8, 9, 10, 11]])
    assert sys.getrefcount(values) == references


def test_a_row_of_a_strided_array_is_refused() -> None:
    with pytest.raises(TypingError, match="contiguous"):
        _double_second_row(Arrays(np.zeros((4, 8), np.float32)[:, ::2], 4))
