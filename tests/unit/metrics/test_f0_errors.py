"""F0 errors of contours with known deviations."""

import math

import numpy as np
import pytest

from speechvq.metrics.f0_errors import f0_errors


def test_each_kind_of_error_is_counted_once() -> None:
    reference = np.array([100, 100, 100, 100, 100, 0, 0, 100])
    estimate = np.array([100, 200, 51, 130, 100 * 2 ** (50 / 1200), 90, 0, 0])
    errors = f0_errors(reference, estimate)
    assert errors.gross_error == pytest.approx(3 / 5) and errors.octave_error == pytest.approx(2 / 5)
    assert errors.voicing_error == pytest.approx(2 / 8)
    assert errors.rmse_cents == pytest.approx(50 / math.sqrt(2))


def test_nothing_to_compare() -> None:
    assert all(map(math.isnan, f0_errors(np.zeros(0), np.ones(3))))
    errors = f0_errors(np.zeros(4), np.zeros(5))
    assert math.isnan(errors.gross_error) and errors.voicing_error == 0
