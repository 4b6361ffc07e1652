"""Resampling of a stream: any cut gives the same samples, with the stated latency."""

import numpy as np
import pytest

from speechvq.audio.causal_resampler import CausalResampler

RATES = [
    (48_000, 16_000),
    (44_100, 16_000),
    (16_000, 48_000),
    (16_000, 44_100),
    (8_000, 16_000),
    (22_050, 16_000),
]


def tone(rate: int, seconds: float = 0.5, hertz: float = 440.0, delay: float = 0.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * (np.arange(round(seconds * rate)) / rate - delay)).astype(np.float32)


@pytest.mark.parametrize(("source", "target"), RATES)
def test_a_tone_comes_later_by_the_stated_latency(source: int, target: int) -> None:
    stream = CausalResampler(source, target)
    out, settled = stream.push(tone(source)), round(0.02 * target)
    expected = tone(target, delay=stream.latency)[: len(out)]
    assert stream.latency <= 0.0031 and abs(len(out) - 0.5 * target) <= 2
    assert np.abs(out - expected)[settled:].max() < 2e-3


@pytest.mark.parametrize(("source", "target"), RATES)
def test_any_cut_gives_the_same_samples(source: int, target: int) -> None:
    wave, rng = np.random.default_rng(0).standard_normal(7_001).astype(np.float32), np.random.default_rng(1)
    whole = CausalResampler(source, target).push(wave)
    for number in (1, 9, 300):
        stream, cuts = CausalResampler(source, target), np.sort(rng.integers(0, len(wave), number))
        assert np.allclose(
            np.concatenate([stream.push(part) for part in np.split(wave, cuts)]), whole, atol=1e-6
        )


def test_what_the_lower_rate_cannot_hold_is_removed() -> None:
    out = CausalResampler(48_000, 16_000).push(tone(48_000, hertz=9_500.0))
    assert np.abs(out[200:]).max() < 2e-3


def test_the_state_stays_bounded() -> None:
    stream = CausalResampler(44_100, 16_000)
    lengths = {len(stream.push(np.zeros(882, np.float32))) for _ in range(500)}
    assert lengths == {320} and len(stream._kept) < 1_000


def test_equal_rates_change_nothing_and_unusable_ones_are_refused() -> None:
    wave, stream = tone(16_000), CausalResampler(16_000, 16_000)
    assert stream.push(wave) is wave and stream.latency == 0
    for rates in ((0, 16_000), (16_000, -1), (16_000, 96_001)):
        with pytest.raises(ValueError):
            CausalResampler(*rates)
