"""Summary of many conversions: means with confidence intervals, beside chance and the baselines."""

import math
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import harmonics_to_noise_ratio, track_f0, voiced_fraction
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.bootstrap import mean_with_interval, weighted_mean_with_interval
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
    lossy_copy: float = math.nan  # score of the sources after a codec
    random_voice: float = math.nan  # score of recordings of other speakers, neither source nor target
    by_rule: bool = False  # a model that is conditioned on F0 sets this by rule; it says nothing on learning


SAME_SENTENCE = ("values", "source_baseline", "lossy_copy")  # the other baselines hold other sentences
COMPARED_WITH_SOURCE = ("log_mel_distance_db", "pause_level_db")  # frame by frame


class _Row(NamedTuple):
    """How a summary row is computed from the metrics of each conversion."""

    name: str
    label: str
    unit: str
    value: Callable[[ConversionMetrics], float]
    chance: float = math.nan
    by_rule: bool = False


def summarize_conversions(
    metrics: Mapping[str, Sequence[ConversionMetrics]],
    *,
    num_speakers: int,
    mismatched_distances: Sequence[float],
) -> list[MetricSummary]:
    """Means over all conversions, with baselines; what is set by rule comes last.

    Args:
        metrics: of the conversions ("values"), and of each baseline in place of the conversions, by the names
            that `summarize_metric` takes.
        num_speakers: of the speaker classifier.
        mismatched_distances: log-mel distances of conversions from sources of other sentences.
    """
    summaries = []
    for row in _rows(num_speakers, metrics["values"], finite_mean(mismatched_distances)):
        kinds = SAME_SENTENCE if row.name in COMPARED_WITH_SOURCE else metrics
        values = {kind: [row.value(each) for each in metrics.get(kind, ())] for kind in kinds}
        summary = summarize_metric(row.name, row.label, row.unit, chance=[row.chance], **values)
        summaries.append(summary._replace(by_rule=row.by_rule))
    return summaries


def _rows(num_speakers: int, converted: Sequence[ConversionMetrics], mismatched: float) -> list[_Row]:
    """The rows of the summary, in order."""
    noise = track_f0(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
    one, other_f0 = 1 / num_speakers, _mismatched_f0_distance(converted)
    closer, preferred = attrgetter("f0_closer_to_target"), attrgetter("target_preferred")
    shift, distance = attrgetter("f0_shift_ratio"), attrgetter("f0_distance_semitones")
    voiced, hnr = attrgetter("converted_voiced_fraction"), attrgetter("converted_hnr_db")
    log_mel, pauses = attrgetter("log_mel_distance_db"), attrgetter("pause_level_db")
    as_target = f"classified as target, of {num_speakers} speakers (%) ↑"
    as_source = f"classified as source, of {num_speakers} speakers (%) ↓"
    return [
        _Row("target_preferred", "target preferred by speaker classifier (%) ↑", "%", preferred, 0.5),
        _Row("classified_as_target", as_target, "%", lambda c: float(c.classified_as == "target"), one),
        _Row("classified_as_source", as_source, "%", lambda c: float(c.classified_as == "source"), one),
        _Row("log_mel_distance_db", "log-mel distance to source (dB) ↓", "dB", log_mel, mismatched),
        _Row("voiced_fraction", "voiced frames (%)", "%", voiced, voiced_fraction(noise)),
        _Row("hnr_db", "harmonics-to-noise ratio (dB)", "dB", hnr, harmonics_to_noise_ratio(noise)),
        _Row("pause_level_db", "level in the pauses of the source (dB) ↓", "dB", pauses),
        _Row("f0_closer_to_target", "F0 closer to target than to source (%) ↑", "%", closer, 0.5, True),
        _Row("f0_shift_ratio", "F0 shift towards target (%)", "%", shift, by_rule=True),
        _Row(
            "f0_distance_semitones",
            "F0 distance to target (semitones) ↓",
            "semitones",
            distance,
            other_f0,
            True,
        ),
    ]


def summarize_metric(
    name: str,
    label: str,
    unit: str,
    values: Sequence[float],
    *,
    weights: Sequence[float] | None = None,
    chance: Sequence[float] = (),
    source_baseline: Sequence[float] = (),
    target_reference: Sequence[float] = (),
    lossy_copy: Sequence[float] = (),
    random_voice: Sequence[float] = (),
) -> MetricSummary:
    """Summary of one metric from the values of every conversion and of the baselines; NaN are left out.

    Args:
        name, label, unit: see `MetricSummary`.
        values: of the conversions.
        weights: of the conversions' values, for example the words of each sentence; None for equal weights.
        chance, source_baseline, target_reference, lossy_copy, random_voice: values of the baselines, whose
            mean is taken.
    """
    count = sum(map(math.isfinite, values))
    if weights is None:
        estimate = mean_with_interval(values)
    else:
        estimate = weighted_mean_with_interval(values, weights)
    return MetricSummary(
        name,
        label,
        unit,
        *estimate,
        num_values=count,
        chance=finite_mean(chance),
        source_baseline=finite_mean(source_baseline),
        target_reference=finite_mean(target_reference),
        lossy_copy=finite_mean(lossy_copy),
        random_voice=finite_mean(random_voice),
    )


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
