"""Errors of an F0 contour against a reference: gross, octave, voicing and fine errors."""

import math
from typing import NamedTuple

import numpy as np

GROSS = 0.2  # relative deviation that counts as a gross error (Rabiner et al. 1976)


class F0Errors(NamedTuple):
    """Errors of one contour, or of several together; NaN where no frame is counted."""

    gross_error: float  # fraction of the frames voiced in both that deviate by more than 20 %
    octave_error: float  # fraction of the frames voiced in both that lie within 20 % of twice or half the F0
    voicing_error: float  # fraction of all frames whose voicing decision differs
    rmse_cents: float  # RMS deviation over the frames voiced in both without gross error


def f0_errors(reference: np.ndarray, estimate: np.ndarray) -> F0Errors:
    """Errors of an estimated contour.

    Args:
        reference: (F,), Hz, 0 where unvoiced.
        estimate: (F',), Hz, 0 where unvoiced, on the same frames; the first min(F, F') are compared.
    """
    length = min(len(reference), len(estimate))
    reference, estimate = np.asarray(reference[:length], float), np.asarray(estimate[:length], float)
    voiced = (reference > 0) & (estimate > 0)
    ratio = estimate[voiced] / reference[voiced]
    gross = np.abs(ratio - 1) > GROSS
    octave = (np.abs(ratio / 2 - 1) <= GROSS) | (np.abs(2 * ratio - 1) <= GROSS)
    cents = 1200 * np.log2(ratio[~gross])
    return F0Errors(
        _mean(gross),
        _mean(octave),
        _mean((reference > 0) != (estimate > 0)),
        math.sqrt(_mean(cents**2)) if len(cents) else math.nan,
    )


def _mean(values: np.ndarray) -> float:
    return float(np.mean(values)) if len(values) else math.nan
