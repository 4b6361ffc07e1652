"""Glottal phase of signals with known pulses."""

import numpy as np
import pytest
from scipy.signal import lfilter

from speechvq.audio.f0 import F0_HOP, f0_contour
from speechvq.audio.glottal_phase import (
    NUM_PHASE_BINS,
    UNVOICED,
    accumulate_cycles,
    glottal_phase,
    phase_bins,
    phase_from_f0,
)

RATE = 16_000
FORMANTS = ((500, 80), (1_500, 120), (2_500, 160))  # Hz, with bandwidths


def pulses_through_formants(f0: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pulses of an F0 contour (T,) through three formants.

    Returns:
        The waveform and the cycles since the first pulse, both (T,).
    """
    cycles = np.cumsum(f0 / RATE)
    wave = np.diff(np.floor(cycles), prepend=0.0) * 0.1
    for center, width in FORMANTS:
        radius = np.exp(-np.pi * width / RATE)
        wave = lfilter([1.0], [1.0, -2 * radius * np.cos(2 * np.pi * center / RATE), radius**2], wave)
    return wave.astype(np.float32), cycles


def phase_distance(found: np.ndarray, cycles: np.ndarray) -> np.ndarray:
    """Distance in cycles, 0 to 0.5, between phase bins and true phases of voiced samples."""
    voiced = found != UNVOICED
    difference = ((found[voiced] - 1 + 0.5) / NUM_PHASE_BINS - cycles[voiced]) % 1.0
    return np.minimum(difference, 1 - difference)


@pytest.mark.parametrize("lowest, highest", [(70, 75), (100, 180), (220, 300)])
def test_phase_bins_match_the_known_phase(lowest: float, highest: float) -> None:
    wave, cycles = pulses_through_formants(np.linspace(lowest, highest, RATE))
    found = glottal_phase(wave, f0_contour(wave))
    assert found.dtype == np.uint8 and found.shape == wave.shape
    inner = slice(800, -800)
    assert (found[inner] != UNVOICED).mean() > 0.95
    assert np.percentile(phase_distance(found[inner], cycles[inner]), 95) < 0.08


def test_a_small_error_of_f0_is_corrected() -> None:
    """The pulse positions correct an F0 error of 2 Hz, which would add up to whole cycles."""
    wave, cycles = pulses_through_formants(np.full(RATE, 150.0))
    found = glottal_phase(wave, np.full(100, 152.0))
    assert np.percentile(phase_distance(found[1_600:-1_600], cycles[1_600:-1_600]), 90) < 0.1


def test_noise_and_silence_are_unvoiced() -> None:
    hiss = np.random.default_rng(0).normal(size=8_000).astype(np.float32)
    assert (glottal_phase(hiss, f0_contour(hiss)) == UNVOICED).mean() > 0.9
    assert not glottal_phase(np.zeros(400, np.float32), np.zeros(3, np.float32)).any()
    assert np.isfinite(glottal_phase(np.zeros(480, np.float32), np.full(3, 100.0))).all(), (
        "a voiced contour with a silent waveform"
    )
    assert len(glottal_phase(np.zeros(0, np.float32), np.zeros(0, np.float32))) == 0
    assert glottal_phase(np.full(7, 0.1, np.float32), np.full(1, 100.0)).shape == (7,)


def test_a_contour_begins_at_the_start_of_a_cycle() -> None:
    hertz = np.full(50, 200.0)
    found = phase_from_f0(hertz, 50 * F0_HOP)
    assert len(np.flatnonzero(np.diff(found.astype(int)) < 0)) in (99, 100), "half a second of 200 Hz"
    assert found[0] < NUM_PHASE_BINS // 40
    gap = hertz.copy()
    gap[20:30] = 0
    voiced = phase_from_f0(gap, 50 * F0_HOP) != UNVOICED
    assert (
        voiced[: 19 * F0_HOP].all()
        and not voiced[21 * F0_HOP : 29 * F0_HOP].any()
        and voiced[31 * F0_HOP :].all()
    )


def test_f0_is_interpolated_between_frames() -> None:
    steps = np.diff(accumulate_cycles(np.array([100.0, 0.0, 200.0]), 3 * F0_HOP)) * RATE
    assert steps[F0_HOP - 1] == pytest.approx(150.0) and steps[-1] == pytest.approx(200.0)
    assert np.allclose(np.diff(accumulate_cycles(np.array([0.0, 120.0, 0.0]), 480)) * RATE, 120.0)
    assert not accumulate_cycles(np.zeros(3), 480).any()


def test_phase_bins_divide_a_cycle() -> None:
    cycles = np.array([0.0, 0.5, 0.999999, 1.0, 7.25])
    assert phase_bins(cycles, np.array([100.0])).tolist() == [1, 128, NUM_PHASE_BINS, 1, 64]
    assert phase_bins(cycles, np.zeros(1)).tolist() == [UNVOICED] * 5
    assert phase_bins(cycles, np.zeros(0)).tolist() == [UNVOICED] * 5


def test_all_255_phase_bins_are_used() -> None:
    """A slowly rising F0 visits all bins about equally often."""
    f0 = np.linspace(90, 110, 200)
    bins = phase_from_f0(f0, 200 * F0_HOP)
    assert set(bins.tolist()) == set(range(1, NUM_PHASE_BINS + 1))
    counts = np.bincount(bins, minlength=NUM_PHASE_BINS + 1)[1:]
    assert counts.min() > 0.5 * counts.mean() and counts.max() < 1.5 * counts.mean()
    wave, _ = pulses_through_formants(np.linspace(90, 110, 2 * RATE))
    tracked = glottal_phase(wave, f0_contour(wave))
    assert set(tracked.tolist()) >= set(range(1, NUM_PHASE_BINS + 1))
