"""MFCCs at any frame rate: equal to librosa at 100 Hz, means of these at lower rates, level invariance."""

import numpy as np
import pytest

from helpers.synthetic_speech import speech
from speechvq.audio.mel_power import WINDOW
from speechvq.audio.mfcc import COEFFICIENTS, LONGEST_HOP, count_frames, mfcc
from speechvq.audio.waveform import SAMPLE_RATE, normalize_level


def normalized(rows: np.ndarray) -> np.ndarray:
    return (rows - rows.mean(0)) / (rows.std(0) + 1e-5)


def test_mfccs_at_100_hz_equal_librosa() -> None:
    import librosa

    wave = speech("ann")
    # The first window is centered at sample 80.
    before = (512 - WINDOW) // 2 + WINDOW // 2 - LONGEST_HOP // 2
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
    expected = normalized(np.concatenate([cepstra, *slopes]).T)
    np.testing.assert_allclose(mfcc(wave, 100), expected, atol=2e-3)


@pytest.mark.parametrize("rate", [50, 25, 20])
def test_a_frame_at_a_lower_rate_is_the_mean_of_frames_at_100_hz(rate: int) -> None:
    wave = speech("ben")[:SAMPLE_RATE]
    pooled = mfcc(wave, 100).reshape(rate, 100 // rate, -1).mean(1)
    np.testing.assert_allclose(mfcc(wave, rate), normalized(pooled), atol=2e-3)


@pytest.mark.parametrize("rate", [25, 31.25, 49.9, 50, 86.13, 100, 125, 250])
@pytest.mark.parametrize("samples", [1, 63, 64, 65, 639, 640, 641, 16_000, 16_001])
def test_the_number_of_frames_is_rounded_up(rate: float, samples: int) -> None:
    frames = mfcc(speech("cay", seconds=1.01)[:samples], rate)
    assert frames.shape == (count_frames(samples, rate), 3 * COEFFICIENTS) and np.isfinite(frames).all()
    assert len(frames) == -(-samples * round(rate * 1000) // (1000 * SAMPLE_RATE))


def test_frames_align_with_the_audio() -> None:
    """A click in the middle of frame 30 of 60 is loudest there, at any rate."""
    for rate in (25, 60, 250):
        wave = 1e-3 * np.random.default_rng(0).standard_normal(60 * SAMPLE_RATE // rate)
        center = round(30.5 * SAMPLE_RATE / rate)
        wave[center - 20 : center + 20] += 1
        assert np.argmax(mfcc(wave, rate)[:, 0]) == 30


def test_mfccs_do_not_depend_on_the_level_and_are_finite_for_silence() -> None:
    wave = speech("ann")
    np.testing.assert_allclose(mfcc(wave, 50), mfcc(0.1 * wave, 50), atol=1e-3)
    assert np.isfinite(mfcc(np.zeros(5_000, np.float32), 50)).all()
    assert mfcc(np.empty(0, np.float32), 50).shape == (0, 39)


def test_analysis_in_blocks_equals_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = mfcc(speech("ann"), 250)
    monkeypatch.setattr("speechvq.audio.mel_power._BLOCK_FRAMES", 7)
    np.testing.assert_allclose(mfcc(speech("ann"), 250), whole, atol=1e-4)


@pytest.mark.parametrize("rate", [0, -25, 0.5, 2000, float("nan")])
def test_invalid_rates_are_refused(rate: float) -> None:
    with pytest.raises(ValueError, match="give 1 to 1000"):
        mfcc(speech("ann"), rate)
