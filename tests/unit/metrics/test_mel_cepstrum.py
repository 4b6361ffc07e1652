"""Cepstra equal the textbook sums; the distortion ignores tempo and level, and grows with the content."""

import math

import numpy as np
import pytest

from helpers.synthetic_speech import speech
from speechvq.metrics.mel_cepstrum import BANDS, _cepstra, _decibels, mel_cepstral_distortion


def test_cepstra_equal_the_textbook_sums() -> None:
    from librosa.feature import melspectrogram

    wave = speech("ann", 1, seconds=0.2).astype(np.float32)
    power = melspectrogram(y=wave, sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=BANDS)
    logs = 0.5 * np.log(np.maximum(power.astype(float), power.max() * 1e-6))
    for k in (1, 13):
        waves = [math.cos(math.pi * k * (m + 0.5) / BANDS) for m in range(BANDS)]
        expected = [2 * sum(w * v for w, v in zip(waves, frame)) / BANDS for frame in logs.T]
        np.testing.assert_allclose(_cepstra(wave)[:, k - 1], expected, atol=1e-6)


def test_distortion_is_the_difference_of_smoothed_spectra() -> None:
    """Of two frames, as the root mean square over the bands in dB."""
    one, other = (_cepstra(speech("ann", seed, seconds=0.1)) for seed in (1, 2))
    cosines = np.cos(np.pi * np.outer(np.arange(1, 14), np.arange(BANDS) + 0.5) / BANDS)
    spectra = 20 / math.log(10) * (one[:, None] - other) @ cosines
    np.testing.assert_allclose(_decibels(one, other), np.sqrt(np.mean(spectra**2, axis=-1)), atol=1e-6)


def test_invariance_to_tempo_and_level() -> None:
    wave = speech("ann", 1)
    slower = np.repeat(wave.reshape(-1, 800), 2, axis=0).reshape(-1)  # every 50 ms twice
    same = mel_cepstral_distortion(wave, 0.1 * wave)
    assert same == pytest.approx(0, abs=1e-3) == mel_cepstral_distortion(wave, wave)
    far = mel_cepstral_distortion(wave, speech("ann", 2))
    assert mel_cepstral_distortion(wave, slower) < 0.6 * far and far > 2
    assert mel_cepstral_distortion(speech("ann", 2), wave) == pytest.approx(far, rel=0.05)


def test_empty_waveforms() -> None:
    assert math.isnan(mel_cepstral_distortion(np.zeros(0), np.ones(100)))
    assert mel_cepstral_distortion(np.zeros(1), np.zeros(900)) == 0
