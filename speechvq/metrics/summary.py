"""Summary of many conversions: means with confidence intervals, beside chance and two baselines."""

import math
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import harmonics_to_noise_ratio, track_f0, voiced_fraction
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.bootstrap import mean_with_interval
from speechvq.metrics.conversion import ConversionMetrics


class MetricSummary(NamedTuple):
    """One metric over all conversions; NaN where a value is undefined."""

    name: str
    label: str  # heading of the table row: metric, unit, arrow of the better direction
    unit: str  # "%" for fractions, otherwise of the value
    mean: float
    low: float  # 95 % interval
    high: float
    num_values: int  # conversions with a value
    chance: float  # score of random choices, noise or other sentences
    source_baseline: float  # score of the unconverted sources
    target_reference: float  # score of other recordings of the target speakers, an upper bound


class _Row(NamedTuple):
    """How a summary row is computed from the metrics of each conversion."""

    name: str
    label: str
    unit: str
    value: Callable[[ConversionMetrics], float]
    chance: float = math.nan


def summarize_conversions(
    converted: Sequence[ConversionMetrics],
    source_baseline: Sequence[ConversionMetrics],
    target_reference: Sequence[ConversionMetrics],
    *,
    num_speakers: int,
    mismatched_distances: Sequence[float],
) -> list[MetricSummary]:
    """Means over all conversions, with baselines.

    Args:
        converted: metrics of the conversions.
        source_baseline: metrics of the sources in place of the conversions.
        target_reference: metrics of recordings of the targets in place of the conversions; may be empty.
        num_speakers: of the speaker classifier.
        mismatched_distances: log-mel distances of conversions from sources of other sentences.
    """
    rows = _rows(num_speakers, converted, finite_mean(mismatched_distances))
    summaries = []
    for name, label, unit, value, chance in rows:
        values, sources, targets = (
            [value(each) for each in group] for group in (converted, source_baseline, target_reference)
        )
        if name == "log_mel_distance_db":
            targets = []  # recordings of the target hold other sentences
        summary = summarize_metric(
            name, label, unit, values, chance=[chance], source_baseline=sources, target_reference=targets
        )
        summaries.append(summary)
    return summaries


def _rows(num_speakers: int, converted: Sequence[ConversionMetrics], mismatched: float) -> list[_Row]:
    """The rows of the summary, in order."""
    noise = track_f0(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
    one, other_f0 = 1 / num_speakers, _mismatched_f0_distance(converted)
    closer, preferred = attrgetter("f0_closer_to_target"), attrgetter("target_preferred")
    shift, distance = attrgetter("f0_shift_ratio"), attrgetter("f0_distance_semitones")
    voiced, hnr = attrgetter("converted_voiced_fraction"), attrgetter("converted_hnr_db")
    log_mel = attrgetter("log_mel_distance_db")
    as_target = f"classified as target, of {num_speakers} speakers (%) ↑"
    as_source = f"classified as source, of {num_speakers} speakers (%) ↓"
    return [
        _Row("f0_closer_to_target", "F0 closer to target than to source (%) ↑", "%", closer, 0.5),
        _Row("f0_shift_ratio", "F0 shift towards target (%)", "%", shift),
        _Row("f0_distance_semitones", "F0 distance to target (semitones) ↓", "semitones", distance, other_f0),
        _Row("target_preferred", "target preferred by speaker classifier (%) ↑", "%", preferred, 0.5),
        _Row("classified_as_target", as_target, "%", lambda c: float(c.classified_as == "target"), one),
        _Row("classified_as_source", as_source, "%", lambda c: float(c.classified_as == "source"), one),
        _Row("voiced_fraction", "voiced frames (%)", "%", voiced, voiced_fraction(noise)),
        _Row("hnr_db", "harmonics-to-noise ratio (dB)", "dB", hnr, harmonics_to_noise_ratio(noise)),
        _Row("log_mel_distance_db", "log-mel distance to source (dB) ↓", "dB", log_mel, mismatched),
    ]


def summarize_metric(
    name: str,
    label: str,
    unit: str,
    values: Sequence[float],
    *,
    chance: Sequence[float] = (),
    source_baseline: Sequence[float] = (),
    target_reference: Sequence[float] = (),
) -> MetricSummary:
    """Summary of one metric from the values of every conversion and of the baselines; NaN are left out."""
    count = sum(map(math.isfinite, values))
    baselines = (finite_mean(each) for each in (chance, source_baseline, target_reference))
    return MetricSummary(name, label, unit, *mean_with_interval(values), count, *baselines)


def finite_mean(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN if there are none."""
    finite = [value for value in values if math.isfinite(value)]
    return sum(finite) / len(finite) if finite else math.nan


def _mismatched_f0_distance(converted: Sequence[ConversionMetrics]) -> float:
    """Mean distance in semitones of the converted F0 from the F0 of other target speakers."""
    f0 = np.array([each.converted_f0_hz for each in converted])
    targets = np.array([each.target_speaker_f0_hz for each in converted])
    others = targets[:, None] != targets
    distances = np.abs(12 * np.log2(f0[:, None] / targets))[others]
    return finite_mean(distances.tolist())
