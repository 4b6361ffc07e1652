"""F0 tracking of signals of known F0, and voicing of noise, whispers and silence."""

import math

import numpy as np
import pytest

from helpers.synthetic_speech import SPEAKERS, speech
from speechvq.audio.f0 import (
    F0_HOP,
    harmonics_to_noise_ratio,
    median_f0,
    semitones,
    track_f0,
    voiced_fraction,
)
from speechvq.audio.waveform import SAMPLE_RATE

NOISE = np.random.default_rng(0).standard_normal(3 * SAMPLE_RATE)


def pulses(hertz: float, samples: int = SAMPLE_RATE) -> np.ndarray:
    return np.diff(np.floor(np.arange(samples) * hertz / SAMPLE_RATE), prepend=0)


@pytest.mark.parametrize("hertz", [60, 85, 123, 200, 311, 390])
def test_f0_of_pulse_trains(hertz: float) -> None:
    track = track_f0(pulses(hertz))
    assert abs(semitones(median_f0(track), hertz)) < 0.1
    assert np.nanmax(np.abs(12 * np.log2(track.f0 / hertz))) < 0.5  # no octave jumps
    assert voiced_fraction(track) > 0.9


def creaky(hertz: float = 200) -> np.ndarray:
    """Three seconds of pulses; between 1 s and 1.4 s every second pulse is weaker, as in a creaky voice."""
    wave = pulses(hertz, 3 * SAMPLE_RATE).astype(float)
    places = np.flatnonzero(wave)
    weaker = places[(places > SAMPLE_RATE) & (places < 1.4 * SAMPLE_RATE)][::2]
    wave[weaker] *= 0.6
    return wave


def test_f0_stays_in_the_range_of_the_speaker() -> None:
    """The period of a creaky second is twice as long, but an octave is not a pitch that people hear there."""
    wave = creaky()
    assert np.nanmedian(track_f0(wave[SAMPLE_RATE : 7 * SAMPLE_RATE // 5]).f0) < 110  # by itself
    assert np.nanmax(np.abs(12 * np.log2(track_f0(wave).f0 / 200))) < 1


def test_two_speakers_an_octave_apart_are_both_tracked() -> None:
    wave = np.concatenate([pulses(hertz) for hertz in (100, 200, 100, 240)])
    f0 = track_f0(wave).f0.reshape(4, 100)[:, 3:-3]
    np.testing.assert_allclose(f0, np.repeat([[100], [200], [100], [240]], 94, axis=1), rtol=0.02)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_f0_and_voicing_of_speech(speaker: str) -> None:
    track = track_f0(speech(speaker, seconds=3))
    assert abs(semitones(median_f0(track), SPEAKERS[speaker][0])) < 0.5
    assert voiced_fraction(track) > 0.8 and harmonics_to_noise_ratio(track) > 4


def test_a_missing_fundamental_is_tracked() -> None:
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    wave = sum(np.sin(2 * np.pi * 120 * k * time) for k in range(3, 15))
    assert median_f0(track_f0(np.asarray(wave))) == pytest.approx(120, rel=0.01)


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_whispered_speech_is_unvoiced(speaker: str) -> None:
    track = track_f0(speech(speaker, seconds=3, whispered=True))
    assert (
        voiced_fraction(track) < 0.1 and math.isnan(median_f0(track)) and harmonics_to_noise_ratio(track) < 0
    )


def test_noise_is_unvoiced() -> None:
    track = track_f0(NOISE)
    assert voiced_fraction(track) < 0.01 and harmonics_to_noise_ratio(track) < -1


def test_f0_of_speech_in_noise() -> None:
    noisy = speech("ann", seconds=3) + 0.06 * 10 ** (-10 / 20) * NOISE  # 10 dB
    assert abs(semitones(median_f0(track_f0(noisy)), SPEAKERS["ann"][0])) < 1


def test_f0_does_not_depend_on_the_level() -> None:
    wave = speech("cay")
    np.testing.assert_allclose(track_f0(wave).f0, track_f0(wave * 1e-2).f0, rtol=1e-6)


def test_hum_is_not_active() -> None:
    """With a hum of 50 Hz in the recording, the pause after the speech is not active."""
    wave = np.concatenate([speech("ann"), 0.001 * NOISE[:SAMPLE_RATE]])
    humming = wave + 0.02 * np.sin(2 * np.pi * 50 * np.arange(len(wave)) / SAMPLE_RATE)
    pause = track_f0(humming).active[-90:]
    assert not pause.any()


@pytest.mark.parametrize("samples", [1, F0_HOP - 1, F0_HOP, 20 * F0_HOP + 1])
def test_there_is_one_frame_per_ten_milliseconds(samples: int) -> None:
    track = track_f0(NOISE[:samples])
    assert {len(part) for part in track} == {-(-samples // F0_HOP)}


def test_block_boundaries_do_not_change_f0() -> None:
    wave = np.tile(speech("ann", seconds=2), 3)  # 600 frames, more than a block
    later = track_f0(wave[100 * F0_HOP :]).f0[5:-5]
    np.testing.assert_allclose(track_f0(wave).f0[105:-5], later, rtol=1e-6)


@pytest.mark.parametrize(
    "wave", [np.zeros(0), np.zeros(5000), np.full(5000, 0.3)], ids=["empty", "silent", "constant"]
)
def test_silence_and_empty_waveforms_are_unvoiced(wave: np.ndarray) -> None:
    track = track_f0(wave)
    assert not track.active[3:-3].any() and voiced_fraction(track) == 0 and math.isnan(median_f0(track))


def test_the_hnr_of_silence_is_nan() -> None:
    assert math.isnan(harmonics_to_noise_ratio(track_f0(np.zeros(5000))))


def test_semitones_of_octaves_and_nan() -> None:
    assert semitones(440, 220) == 12 and semitones(220, 440) == -12 and math.isnan(semitones(math.nan, 100))
