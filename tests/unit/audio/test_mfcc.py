"""MFCCs at any rate: librosa's own at 100 Hz, their means at lower rates, and what must not change them."""

import numpy as np
import pytest

from helpers.synthetic_speech import speech
from speechvq.audio.mel import WINDOW
from speechvq.audio.mfcc import COEFFICIENTS, LONGEST_HOP, count_frames, mfcc
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level


def normalised(rows: np.ndarray) -> np.ndarray:
    return (rows - rows.mean(0)) / (rows.std(0) + 1e-5)


def test_at_100_hz_they_are_librosas() -> None:
    import librosa

    wave = speech("ann")
    before = (
        (512 - WINDOW) // 2 + WINDOW // 2 - LONGEST_HOP // 2
    )  # so that the first window is about sample 80
    padded = np.pad(normalize_level(wave), (before, 512))
    cepstra = librosa.feature.mfcc(
        y=padded,
        sr=SAMPLE_RATE,
        n_mfcc=13,
        n_fft=512,
        win_length=WINDOW,
        hop_length=160,
        n_mels=40,
        center=False,
    )[:, : len(wave) // 160]
    slopes = [librosa.feature.delta(cepstra, order=order, mode="nearest") for order in (1, 2)]
    expected = normalised(np.concatenate([cepstra, *slopes]).T)
    np.testing.assert_allclose(mfcc(wave, 100), expected, atol=2e-3)


@pytest.mark.parametrize("rate", [50, 25, 20])
def test_a_slow_frame_is_the_mean_of_quick_ones(rate: int) -> None:
    wave = speech("ben")[:SAMPLE_RATE]
    pooled = mfcc(wave, 100).reshape(rate, 100 // rate, -1).mean(1)
    np.testing.assert_allclose(mfcc(wave, rate), normalised(pooled), atol=2e-3)


@pytest.mark.parametrize("rate", [25, 31.25, 49.9, 50, 86.13, 100, 125, 250])
@pytest.mark.parametrize("samples", [1, 63, 64, 65, 639, 640, 641, 16_000, 16_001])
def test_a_part_of_a_frame_counts_as_one(rate: float, samples: int) -> None:
    frames = mfcc(speech("cay", seconds=1.01)[:samples], rate)
    assert frames.shape == (count_frames(samples, rate), 3 * COEFFICIENTS) and np.isfinite(frames).all()
    assert len(frames) == -(-samples * round(rate * 1000) // (1000 * SAMPLE_RATE))


def test_frames_align_with_the_audio() -> None:
    """A click in the middle of frame 30 of 60 is loudest there, at any rate."""
    for rate in (25, 60, 250):
        wave = 1e-3 * np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE // rate)
        centre = round(30.5 * SAMPLE_RATE / rate)
        wave[centre - 20 : centre + 20] += 1
        assert np.argmax(mfcc(wave, rate)[:, 0]) == 30


def test_level_changes_nothing_and_silence_is_finite() -> None:
    wave = speech("ann")
    np.testing.assert_allclose(mfcc(wave, 50), mfcc(0.1 * wave, 50), atol=1e-3)
    assert np.isfinite(mfcc(np.zeros(5_000, np.float32), 50)).all()
    assert mfcc(np.empty(0, np.float32), 50).shape == (0, 39)


def test_an_hour_is_analysed_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mfcc(speech("ann"), 250)
    monkeypatch.setattr("speechvq.audio.mel._BLOCK_FRAMES", 7)
    np.testing.assert_allclose(mfcc(speech("ann"), 250), whole, atol=1e-4)


@pytest.mark.parametrize("rate", [0, -25, 0.5, 2000, float("nan")])
def test_invalid_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="give 1 to 1000"):
        mfcc(speech("ann"), rate)
