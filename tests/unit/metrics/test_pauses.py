"""Level in the pauses: of tones whose level is known, and against a loop over frames."""

import math

import numpy as np
import pytest

from speechvq.metrics.pauses import FRAME, pause_level_db

TONE = np.sin(2 * np.pi * 200 * np.arange(40 * FRAME) / 16_000)
SPEECH = TONE * np.repeat([1.0, 1e-3] * 4, 5 * FRAME)  # pauses of 100 ms at -60 dB


@pytest.mark.parametrize("level", [-80.0, -50.0, -20.0, 0.0])
def test_the_level_of_a_hum(level: float) -> None:
    hum = TONE * np.repeat([1.0, 10 ** (level / 20)] * 4, 5 * FRAME)
    assert pause_level_db(SPEECH, hum) == pytest.approx(level, abs=1e-6)
    assert pause_level_db(SPEECH, 0.01 * hum) == pytest.approx(level, abs=1e-6)  # relative to its own peak


def test_it_equals_a_loop_over_frames() -> None:
    rng = np.random.default_rng(0)
    source = SPEECH + 1e-4 * rng.standard_normal(len(SPEECH))
    wave = rng.standard_normal(len(source) - 100) * np.repeat(rng.uniform(0.01, 1, 40), FRAME)[:-100]
    frames = [(source[i : i + FRAME], wave[i : i + FRAME]) for i in range(0, len(wave) - FRAME + 1, FRAME)]
    loudest = max(np.mean(before**2) for before, _ in frames)
    inside = [np.mean(after**2) for before, after in frames if np.mean(before**2) < 1e-4 * loudest]
    expected = 10 * np.log10(np.mean(inside) / max(np.mean(after**2) for _, after in frames))
    assert 0 < len(inside) < 40 and pause_level_db(source, wave) == pytest.approx(expected)


@pytest.mark.parametrize(
    "source, wave",
    [
        (TONE, TONE),  # no pause
        (SPEECH[:FRAME], SPEECH[:FRAME]),  # too short
        (SPEECH[:10], SPEECH[:10]),
        (SPEECH[:0], SPEECH[:0]),
        (SPEECH, 0 * SPEECH),
    ],
)
def test_without_pauses_or_sound_it_is_undefined(source: np.ndarray, wave: np.ndarray) -> None:
    assert math.isnan(pause_level_db(source, wave))


def test_digital_silence_in_the_pauses_is_finite() -> None:
    assert -400 < pause_level_db(SPEECH, TONE * (np.abs(SPEECH) > 0.01)) < -60
