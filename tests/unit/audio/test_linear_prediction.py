"""LPC residual and polarity of signals with a known excitation and filter."""

import numpy as np
import pytest
from scipy.signal import lfilter

from speechvq.audio.linear_prediction import lpc_residual, polarity

POLES = [1.0, -1.3, 0.8]


def test_the_residual_recovers_the_pulses() -> None:
    pulses = np.zeros(8_000)
    pulses[::100] = 1.0
    found = lpc_residual(lfilter([1.0], POLES, pulses).astype(np.float32))
    inner = slice(1_000, 7_000)
    assert found.shape == pulses.shape
    places = np.flatnonzero(found[inner] > 0.5) + 1_000
    assert np.array_equal(places, np.flatnonzero(pulses[inner]) + 1_000)
    assert np.abs(np.delete(found[inner], places - 1_000)).max() < 0.25


def test_noise_is_whitened() -> None:
    noise = np.random.default_rng(0).normal(size=16_000)
    found = lpc_residual(lfilter([1.0], POLES, noise).astype(np.float32))
    spectrum = np.abs(np.fft.rfft(found[:15_360].reshape(-1, 512) * np.hanning(512))) ** 2
    level = 10 * np.log10(spectrum.mean(0)[4:-4])
    assert level.std() < 1.5, "dB; 8 dB without whitening"


@pytest.mark.parametrize("samples", [0, 1, 159, 160, 161])
def test_short_signals_and_silence_are_accepted(samples: int) -> None:
    assert lpc_residual(np.zeros(samples, np.float32)).shape == (samples,)
    assert np.isfinite(lpc_residual(np.full(samples, 0.1, np.float32))).all()
    assert polarity(np.zeros(samples, np.float32)) == 1


def test_an_inverted_recording_is_detected() -> None:
    pulses = np.zeros(16_000)
    pulses[::120] = 1.0
    wave = lfilter([1.0], POLES, pulses + 0.02 * np.random.default_rng(1).normal(size=16_000)).astype(
        np.float32
    )
    assert polarity(wave) == 1 and polarity(-wave) == -1 and polarity(0.01 * wave) == 1
