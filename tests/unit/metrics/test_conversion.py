"""What is measured of one conversion, and of many: perfect, untouched and whispered ones come out as such."""

import math

import numpy as np
import pytest

from helpers.voices import VOICES, speech
from speechvq.metrics.conversion import (
    Conversion,
    measure_conversion,
    mel_distance,
    nearer_target,
    pitch_shift,
    speaker_pitch,
)
from speechvq.metrics.speaker_classifier import VoiceClassifier
from speechvq.metrics.summary import Figure, interval, mean, summarise

SOUNDS = [(voice, speech(voice, seed=10 * i + n)) for n, voice in enumerate(VOICES) for i in range(8)]
CLASSIFIER = VoiceClassifier.fit([wave for _, wave in SOUNDS], [voice for voice, _ in SOUNDS])
PITCH = {voice: speaker_pitch([wave for name, wave in SOUNDS if name == voice]) for voice in VOICES}


def measure(source: np.ndarray, converted: np.ndarray, pair: tuple[str, str]) -> Conversion:
    pitches = (PITCH[pair[0]], PITCH[pair[1]])
    return measure_conversion(source, converted, speakers=pair, pitches=pitches, classifier=CLASSIFIER)


def test_a_perfect_conversion() -> None:
    found = measure(speech("ann", 500), speech("ben", 500), ("ann", "ben"))
    assert (found.vote, found.target_wins, found.pitch_nearer_target) == ("target", 1, 1)
    assert found.pitch_distance < 0.5 and found.source_pitch > 1.8 * found.converted_pitch
    assert found.converted_voiced > 0.8 and found.converted_harmonicity > 4


def test_a_source_left_as_it_is() -> None:
    wave = speech("ann", 501)
    found = measure(wave, wave, ("ann", "ben"))
    assert (found.vote, found.target_wins, found.pitch_nearer_target, found.mel_distance) == (
        "source",
        0,
        0,
        0,
    )


def test_a_third_voice() -> None:
    assert measure(speech("ann", 502), speech("cay", 502), ("ann", "ben")).vote == "other"


def test_a_whisper_has_no_pitch_and_is_not_nearer() -> None:
    found = measure(speech("ann", 503), speech("ben", 503, whispered=True), ("ann", "ben"))
    assert math.isnan(found.converted_pitch) and math.isnan(found.pitch_distance)
    assert found.pitch_nearer_target == 0 and found.converted_voiced < 0.05 and found.source_voiced > 0.8


def test_in_its_own_voice_nothing_can_be_won() -> None:
    found = measure(speech("ann", 504), speech("ann", 505), ("ann", "ann"))
    assert found.vote == "target" and math.isnan(found.target_wins) and math.isnan(found.pitch_nearer_target)


@pytest.mark.parametrize(
    ("source", "converted", "target", "expected"),
    [(100, 190, 200, 1), (100, 110, 200, 0), (200, 105, 100, 1), (100, math.nan, 200, 0), (100, 141, 200, 0),
     (100, 142, 200, 1), (100, 105, 110, math.nan),
     (math.nan, 100, 200, math.nan), (100, 100, math.nan, math.nan)],
)  # fmt: skip
def test_nearer_target(source: float, converted: float, target: float, expected: float) -> None:
    assert nearer_target(source, converted, target) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("source", "converted", "target", "expected"),
    [(100, 200, 200, 1), (100, 100, 200, 0), (200, 100, 100, 1), (100, 100 * 2**0.5, 200, 0.5),
     (100, 400, 200, 2), (200, 400, 100, -1), (100, 105, 110, math.nan),
     (100, math.nan, 200, math.nan), (math.nan, 9, 9, math.nan)],
)  # fmt: skip
def test_pitch_shift(source: float, converted: float, target: float, expected: float) -> None:
    assert pitch_shift(source, converted, target) == pytest.approx(expected, nan_ok=True)


def test_mel_distance_hears_the_sentence_and_neither_level_nor_colour() -> None:
    wave = speech("ann", 506)
    coloured = np.convolve(wave, [1, -0.4])[: len(wave)] * 0.3
    assert mel_distance(wave, coloured) < 1 < 5 < mel_distance(wave, speech("ann", 507))
    assert mel_distance(wave, wave[:8000]) < 0.5
    assert math.isnan(mel_distance(wave, wave[:0]))


def test_pitch_of_nobody() -> None:
    assert math.isnan(speaker_pitch([])) and math.isnan(speaker_pitch([np.zeros(1600)]))


def test_interval_of_shares_is_wilsons() -> None:
    assert interval([1.0] * 8) == pytest.approx((1, 0.676, 1), abs=1e-3)
    assert interval([1.0, 0.0, math.nan, 0.0, 1.0]) == pytest.approx((0.5, 0.150, 0.850), abs=1e-3)


def test_interval_of_numbers_covers_their_mean() -> None:
    covered = 0
    for seed in range(20):
        _, low, high = interval(np.random.default_rng(seed).normal(3, 1, 40).tolist())
        covered += low < 3 < high
    assert 16 <= covered <= 20
    assert interval([2.5, 1.0]) == interval([2.5, 1.0])
    assert all(map(math.isnan, interval([math.nan]))) and math.isnan(mean([]))


def summary(sounds: list[np.ndarray]) -> dict[str, Figure]:
    """Of the same sources, ann's, converted to ben."""
    sources = [speech("ann", 600 + i) for i in range(len(sounds))]
    measured = [measure(source, sound, ("ann", "ben")) for source, sound in zip(sources, sounds)]
    unchanged = [measure(source, source, ("ann", "ben")) for source in sources]
    own = [measure(sources[0], speech("ben", 700), ("ann", "ben"))]
    strangers = [mel_distance(sounds[0], sources[1])]
    return {f.name: f for f in summarise(measured, unchanged, own, voices=3, strangers=strangers)}


def test_summary_of_perfect_conversions() -> None:
    figures = summary([speech("ben", 600 + i) for i in range(3)])
    for name in ("pitch_nearer_target", "target_wins", "target_votes"):
        found = figures[name]
        assert (found.mean, found.unchanged, found.own, found.count, found.unit) == (1, 0, 1, 3, "%")
    assert figures["target_votes"].chance == pytest.approx(1 / 3) and figures["target_wins"].chance == 0.5
    assert figures["voiced_share"].chance < 0.02 and figures["harmonicity"].chance < -1
    assert (
        figures["mel_distance"].mean < figures["mel_distance"].chance
        and figures["mel_distance"].unchanged == 0
    )
    assert math.isnan(figures["mel_distance"].own) and math.isnan(figures["pitch_distance"].chance)


def test_summary_of_whispers() -> None:
    figures = summary([speech("ben", 600 + i, whispered=True) for i in range(3)])
    assert figures["pitch_nearer_target"].mean == 0 and figures["voiced_share"].mean < 0.05
    assert math.isnan(figures["pitch_distance"].mean) and figures["pitch_distance"].count == 0
