"""Linear prediction against a solver, and spectral smoothing against averages on a fine grid."""

import numpy as np
import pytest
import torch

from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.source_filter.spectral_envelope import NUM_FREQS, levinson_durbin, smooth_over_f0


def test_levinson_durbin_solves_the_normal_equations() -> None:
    """Against a linear solver; the filter is stable."""
    rng = np.random.default_rng(0)
    signals = np.convolve(rng.standard_normal(4_000), [1, 0.7, -0.3, 0.5])[None] * np.array([[1.0], [1e-3]])
    correlation = np.stack([[row[: len(row) - lag] @ row[lag:] for lag in range(7)] for row in signals])
    taps, variance = levinson_durbin(torch.from_numpy(correlation))
    for row, ours, error in zip(correlation, taps.numpy(), variance.tolist()):
        toeplitz = row[np.abs(np.subtract.outer(np.arange(6), np.arange(6)))]
        expected = np.linalg.solve(toeplitz, row[1:])
        assert np.allclose(ours, expected)
        assert error == pytest.approx(row[0] - row[1:] @ expected)
        assert np.abs(np.roots(np.append(1.0, -ours))).max() < 1.0


def test_smoothing_over_f0_averages_a_band_as_wide_as_f0() -> None:
    power = torch.rand(2, 3, NUM_FREQS, dtype=torch.float64)
    f0 = torch.tensor([[100.0, 250.0, 62.5]] * 2, dtype=torch.float64)
    ours = smooth_over_f0(power, f0)
    fine = power.repeat_interleave(1_000, -1)  # a point represents the step around it
    for n, hertz in enumerate(f0[0].tolist()):
        half = round(hertz / 2 * (NUM_FREQS - 1) / (SAMPLE_RATE / 2) * 1_000)
        for point in (0, 1, 40, NUM_FREQS - 1):
            center = point * 1_000 + 500
            expected = fine[0, n, max(center - half, 0) : center + half].mean()
            assert float(ours[0, n, point]) == pytest.approx(float(expected), rel=1e-3)
    assert torch.allclose(
        smooth_over_f0(torch.ones(1, 1, NUM_FREQS), torch.full((1, 1), 300.0)), torch.ones(1, 1, NUM_FREQS)
    )
