"""What is measured of one conversion, and of many: perfect, untouched and whispered ones come out as such."""

import math

import numpy as np
import pytest

from helpers.voices import VOICES, speech
from speechvq.metrics.conversion import (
    ConversionMetrics,
    f0_closer_to_target,
    f0_shift_ratio,
    log_mel_distance,
    measure_conversion,
    speaker_f0,
)
from speechvq.metrics.speaker_classifier import SpeakerClassifier
from speechvq.metrics.summary import MetricSummary, finite_mean, summarize_conversions

SOUNDS = [(voice, speech(voice, seed=10 * i + n)) for n, voice in enumerate(VOICES) for i in range(8)]
CLASSIFIER = SpeakerClassifier.fit([wave for _, wave in SOUNDS], [voice for voice, _ in SOUNDS])
PITCH = {voice: speaker_f0([wave for name, wave in SOUNDS if name == voice]) for voice in VOICES}


def measure(source: np.ndarray, converted: np.ndarray, pair: tuple[str, str]) -> ConversionMetrics:
    pitches = (PITCH[pair[0]], PITCH[pair[1]])
    return measure_conversion(source, converted, speakers=pair, speaker_f0s=pitches, classifier=CLASSIFIER)


def test_a_perfect_conversion() -> None:
    found = measure(speech("ann", 500), speech("ben", 500), ("ann", "ben"))
    assert (found.classified_as, found.target_preferred, found.f0_closer_to_target) == ("target", 1, 1)
    assert found.f0_distance_semitones < 0.5 and found.source_f0_hz > 1.8 * found.converted_f0_hz
    assert found.converted_voiced_fraction > 0.8 and found.converted_hnr_db > 4


def test_a_source_left_as_it_is() -> None:
    wave = speech("ann", 501)
    found = measure(wave, wave, ("ann", "ben"))
    assert (
        found.classified_as,
        found.target_preferred,
        found.f0_closer_to_target,
        found.log_mel_distance_db,
    ) == (
        "source",
        0,
        0,
        0,
    )


def test_a_third_voice() -> None:
    assert measure(speech("ann", 502), speech("cay", 502), ("ann", "ben")).classified_as == "other"


def test_a_whisper_has_no_pitch_and_is_not_nearer() -> None:
    found = measure(speech("ann", 503), speech("ben", 503, whispered=True), ("ann", "ben"))
    assert math.isnan(found.converted_f0_hz) and math.isnan(found.f0_distance_semitones)
    assert (
        found.f0_closer_to_target == 0
        and found.converted_voiced_fraction < 0.05
        and found.source_voiced_fraction > 0.8
    )


def test_in_its_own_voice_nothing_can_be_won() -> None:
    found = measure(speech("ann", 504), speech("ann", 505), ("ann", "ann"))
    assert (
        found.classified_as == "target"
        and math.isnan(found.target_preferred)
        and math.isnan(found.f0_closer_to_target)
    )


@pytest.mark.parametrize(
    ("source", "converted", "target", "expected"),
    [(100, 190, 200, 1), (100, 110, 200, 0), (200, 105, 100, 1), (100, math.nan, 200, 0), (100, 141, 200, 0),
     (100, 142, 200, 1), (100, 105, 110, math.nan),
     (math.nan, 100, 200, math.nan), (100, 100, math.nan, math.nan)],
)  # fmt: skip
def test_nearer_target(source: float, converted: float, target: float, expected: float) -> None:
    assert f0_closer_to_target(source, converted, target) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("source", "converted", "target", "expected"),
    [(100, 200, 200, 1), (100, 100, 200, 0), (200, 100, 100, 1), (100, 100 * 2**0.5, 200, 0.5),
     (100, 400, 200, 2), (200, 400, 100, -1), (100, 105, 110, math.nan),
     (100, math.nan, 200, math.nan), (math.nan, 9, 9, math.nan)],
)  # fmt: skip
def test_pitch_shift(source: float, converted: float, target: float, expected: float) -> None:
    assert f0_shift_ratio(source, converted, target) == pytest.approx(expected, nan_ok=True)


def test_mel_distance_hears_the_sentence_and_neither_level_nor_colour() -> None:
    wave = speech("ann", 506)
    coloured = np.convolve(wave, [1, -0.4])[: len(wave)] * 0.3
    assert log_mel_distance(wave, coloured) < 1 < 5 < log_mel_distance(wave, speech("ann", 507))
    assert log_mel_distance(wave, wave[:8000]) < 0.5
    assert math.isnan(log_mel_distance(wave, wave[:0]))


def test_pitch_of_nobody() -> None:
    assert math.isnan(speaker_f0([])) and math.isnan(speaker_f0([np.zeros(1600)]))


def summary(sounds: list[np.ndarray]) -> dict[str, MetricSummary]:
    """Of the same sources, ann's, converted to ben."""
    sources = [speech("ann", 600 + i) for i in range(len(sounds))]
    measured = [measure(source, sound, ("ann", "ben")) for source, sound in zip(sources, sounds)]
    unchanged = [measure(source, source, ("ann", "ben")) for source in sources]
    own = [measure(sources[0], speech("ben", 700), ("ann", "ben"))]
    strangers = [log_mel_distance(sounds[0], sources[1])]
    return {
        f.name: f
        for f in summarize_conversions(
            measured, unchanged, own, num_speakers=3, mismatched_distances=strangers
        )
    }


def test_summary_of_perfect_conversions() -> None:
    figures = summary([speech("ben", 600 + i) for i in range(3)])
    for name in ("f0_closer_to_target", "target_preferred", "classified_as_target"):
        found = figures[name]
        assert (found.mean, found.source_baseline, found.target_reference, found.num_values, found.unit) == (
            1,
            0,
            1,
            3,
            "%",
        )
    assert (
        figures["classified_as_target"].chance == pytest.approx(1 / 3)
        and figures["target_preferred"].chance == 0.5
    )
    assert figures["voiced_fraction"].chance < 0.02 and figures["hnr_db"].chance < -1
    assert (
        figures["log_mel_distance_db"].mean < figures["log_mel_distance_db"].chance
        and figures["log_mel_distance_db"].source_baseline == 0
    )
    assert math.isnan(figures["log_mel_distance_db"].target_reference) and math.isnan(
        figures["f0_distance_semitones"].chance
    )


def test_summary_of_whispers() -> None:
    figures = summary([speech("ben", 600 + i, whispered=True) for i in range(3)])
    assert figures["f0_closer_to_target"].mean == 0 and figures["voiced_fraction"].mean < 0.05
    assert (
        math.isnan(figures["f0_distance_semitones"].mean) and figures["f0_distance_semitones"].num_values == 0
    )


def test_mean_of_no_values_is_nan() -> None:
    assert math.isnan(finite_mean([])) and math.isnan(finite_mean([math.nan]))
    assert finite_mean([1.0, math.nan, 2.0]) == 1.5
