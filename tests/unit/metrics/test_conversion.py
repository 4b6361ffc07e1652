"""Conversion metrics of perfect, unconverted and whispered recordings, and their summary."""

import math

import numpy as np
import pytest

from helpers.synthetic_speech import SPEAKERS, speech
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

RECORDINGS = [(voice, speech(voice, seed=10 * i + n)) for n, voice in enumerate(SPEAKERS) for i in range(8)]
CLASSIFIER = SpeakerClassifier.fit([wave for _, wave in RECORDINGS], [voice for voice, _ in RECORDINGS])
SPEAKER_F0 = {voice: speaker_f0([wave for name, wave in RECORDINGS if name == voice]) for voice in SPEAKERS}


def measure(source: np.ndarray, converted: np.ndarray, pair: tuple[str, str]) -> ConversionMetrics:
    f0s = (SPEAKER_F0[pair[0]], SPEAKER_F0[pair[1]])
    return measure_conversion(source, converted, speakers=pair, speaker_f0s=f0s, classifier=CLASSIFIER)


def test_a_perfect_conversion() -> None:
    found = measure(speech("ann", 500), speech("ben", 500), ("ann", "ben"))
    assert (found.classified_as, found.target_preferred, found.f0_closer_to_target) == ("target", 1, 1)
    assert found.f0_distance_semitones < 0.5 and found.source_f0_hz > 1.8 * found.converted_f0_hz
    assert found.converted_voiced_fraction > 0.8 and found.converted_hnr_db > 4


def test_an_unconverted_source() -> None:
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


def test_a_third_speaker() -> None:
    assert measure(speech("ann", 502), speech("cay", 502), ("ann", "ben")).classified_as == "other"


def test_whispered_speech_has_no_f0_and_is_not_closer() -> None:
    found = measure(speech("ann", 503), speech("ben", 503, whispered=True), ("ann", "ben"))
    assert math.isnan(found.converted_f0_hz) and math.isnan(found.f0_distance_semitones)
    assert (
        found.f0_closer_to_target == 0
        and found.converted_voiced_fraction < 0.05
        and found.source_voiced_fraction > 0.8
    )


def test_preferences_are_undefined_for_a_resynthesis() -> None:
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
def test_f0_closer_to_target(source: float, converted: float, target: float, expected: float) -> None:
    assert f0_closer_to_target(source, converted, target) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("source", "converted", "target", "expected"),
    [(100, 200, 200, 1), (100, 100, 200, 0), (200, 100, 100, 1), (100, 100 * 2**0.5, 200, 0.5),
     (100, 400, 200, 2), (200, 400, 100, -1), (100, 105, 110, math.nan),
     (100, math.nan, 200, math.nan), (math.nan, 9, 9, math.nan)],
)  # fmt: skip
def test_f0_shift_ratio(source: float, converted: float, target: float, expected: float) -> None:
    assert f0_shift_ratio(source, converted, target) == pytest.approx(expected, nan_ok=True)


def test_log_mel_distance_depends_on_the_sentence_and_not_on_level_or_filter() -> None:
    wave = speech("ann", 506)
    filtered = np.convolve(wave, [1, -0.4])[: len(wave)] * 0.3
    assert log_mel_distance(wave, filtered) < 1 < 5 < log_mel_distance(wave, speech("ann", 507))
    assert log_mel_distance(wave, wave[:8000]) < 0.5
    assert math.isnan(log_mel_distance(wave, wave[:0]))


def test_f0_without_voiced_frames() -> None:
    assert math.isnan(speaker_f0([])) and math.isnan(speaker_f0([np.zeros(1600)]))


def summary(converted_waves: list[np.ndarray]) -> dict[str, MetricSummary]:
    """Summary of conversions of ann's sentences to ben, and of their baselines."""
    sources = [speech("ann", 600 + i) for i in range(len(converted_waves))]
    measured = [measure(source, sound, ("ann", "ben")) for source, sound in zip(sources, converted_waves)]
    source_baseline = [measure(source, source, ("ann", "ben")) for source in sources]
    target_reference = [measure(sources[0], speech("ben", 700), ("ann", "ben"))]
    mismatched = [log_mel_distance(converted_waves[0], sources[1])]
    return {
        f.name: f
        for f in summarize_conversions(
            {"values": measured, "source_baseline": source_baseline, "target_reference": target_reference},
            num_speakers=3,
            mismatched_distances=mismatched,
        )
    }


def test_summary_of_perfect_conversions() -> None:
    summaries = summary([speech("ben", 600 + i) for i in range(3)])
    for name in ("f0_closer_to_target", "target_preferred", "classified_as_target"):
        found = summaries[name]
        assert (found.mean, found.source_baseline, found.target_reference, found.num_values, found.unit) == (
            1,
            0,
            1,
            3,
            "%",
        )
    assert (
        summaries["classified_as_target"].chance == pytest.approx(1 / 3)
        and summaries["target_preferred"].chance == 0.5
    )
    assert summaries["voiced_fraction"].chance < 0.02 and summaries["hnr_db"].chance < -1
    assert (
        summaries["log_mel_distance_db"].mean < summaries["log_mel_distance_db"].chance
        and summaries["log_mel_distance_db"].source_baseline == 0
    )
    for name in ("log_mel_distance_db", "pause_level_db"):
        assert math.isnan(summaries[name].target_reference)
    assert math.isnan(summaries["f0_distance_semitones"].chance)


def test_summary_of_whispered_conversions() -> None:
    summaries = summary([speech("ben", 600 + i, whispered=True) for i in range(3)])
    assert summaries["f0_closer_to_target"].mean == 0 and summaries["voiced_fraction"].mean < 0.05
    assert (
        math.isnan(summaries["f0_distance_semitones"].mean)
        and summaries["f0_distance_semitones"].num_values == 0
    )


def test_mean_of_no_values_is_nan() -> None:
    assert math.isnan(finite_mean([])) and math.isnan(finite_mean([math.nan]))
    assert finite_mean([1.0, math.nan, 2.0]) == 1.5
