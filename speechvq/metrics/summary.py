"""Many conversions together: figures with intervals, and beside each what chance and no conversion score."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import harmonics_to_noise_ratio, track_f0, voiced_fraction
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.conversion import ConversionMetrics

NUM_RESAMPLES = 2000


class MetricSummary(NamedTuple):
    """One line of a summary; NaN where there is nothing to say."""

    name: str
    label: str  # for people
    unit: str  # "%" for shares, otherwise of the number
    mean: float
    low: float  # of the interval of 95 %
    high: float
    count: int  # sounds that had a value
    chance: float  # what no skill scores
    source_baseline: float  # what the sources score, handed in as they are
    target_reference: float  # what other recordings of the targets score: the most that can be hoped for


def summarize_conversions(
    converted: Sequence[ConversionMetrics],
    source_baseline: Sequence[ConversionMetrics],
    target_reference: Sequence[ConversionMetrics],
    *,
    num_speakers: int,
    mismatched_distances: Sequence[float],
) -> list[MetricSummary]:
    """Means over all conversions and what to compare them with.

    Args:
        measured: of the converted sounds.
        unchanged: of the sources in place of the converted sounds.
        own: of recordings of the targets in their place; may be empty.
        voices: how many the classifier chose from.
        strangers: mel distances of converted sounds from sources of other sentences.
    """
    noise = track_f0(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
    votes = f"likeliest of {num_speakers} voices"
    chance = {
        "f0_closer_to_target": 0.5,
        "f0_distance_semitones": _wrong_pitch(converted),
        "target_preferred": 0.5,
        "classified_as_target": 1 / num_speakers,
        "classified_as_source": 1 / num_speakers,
        "voiced_fraction": voiced_fraction(noise),
        "hnr_db": harmonics_to_noise_ratio(noise),
        "log_mel_distance_db": finite_mean(mismatched_distances),
    }

    def figure(
        name: str, label: str, unit: str, value: Callable[[ConversionMetrics], float]
    ) -> MetricSummary:
        values, before, others = (
            list(map(value, each)) for each in (converted, source_baseline, target_reference)
        )
        return summarize_metric(
            name,
            label,
            unit,
            values,
            chance=[chance.get(name, math.nan)],
            source_baseline=before,
            target_reference=others,
        )

    # Recordings of the target say other sentences, so their spectra are no goal.
    return [
        figure("f0_closer_to_target", "pitch nearer to the target's", "%", lambda c: c.f0_closer_to_target),
        figure("f0_shift_ratio", "pitch shifted, of the way there", "%", lambda c: c.f0_shift_ratio),
        figure(
            "f0_distance_semitones",
            "pitch away from the target's",
            "semitones",
            lambda c: c.f0_distance_semitones,
        ),
        figure("target_preferred", "target likelier than source", "%", lambda c: c.target_preferred),
        figure("classified_as_target", f"target {votes}", "%", lambda c: float(c.classified_as == "target")),
        figure("classified_as_source", f"source {votes}", "%", lambda c: float(c.classified_as == "source")),
        figure("voiced_fraction", "voiced share of the sound", "%", lambda c: c.converted_voiced_fraction),
        figure("hnr_db", "harmonics over noise", "dB", lambda c: c.converted_hnr_db),
        figure(
            "log_mel_distance_db", "spectra away from the source's", "dB", lambda c: c.log_mel_distance_db
        )._replace(target_reference=math.nan),
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
    """A line of a summary from what each sound scored, and each sound of the baselines; NaN are left out."""
    count = sum(map(math.isfinite, values))
    return MetricSummary(
        name,
        label,
        unit,
        *mean_with_interval(values),
        count,
        finite_mean(chance),
        finite_mean(source_baseline),
        finite_mean(target_reference),
    )


def finite_mean(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN where none is left."""
    kept = [value for value in values if math.isfinite(value)]
    return sum(kept) / len(kept) if kept else math.nan


def mean_with_interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
    """Mean of the values that are not NaN, and its interval of 95 %; three NaN where none is left.

    Of yes and no (1 and 0) Wilson's interval (1927), which is honest about 8 out of 8; of other numbers the
    bootstrap's, from 2000 resamplings. The sounds are resampled, not the speakers, so it says what other
    sentences of the same voices would give.
    """
    kept = np.array([value for value in values if math.isfinite(value)])
    if not len(kept):
        return math.nan, math.nan, math.nan
    if set(kept.tolist()) <= {0.0, 1.0}:
        return (float(kept.mean()), *_wilson(float(kept.mean()), len(kept)))
    rng = np.random.default_rng(seed)
    means = [float(kept[rng.integers(len(kept), size=len(kept))].mean()) for _ in range(NUM_RESAMPLES)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(kept.mean()), float(low), float(high)


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's score interval of 95 % for a share of `count`."""
    z = 1.96
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _wrong_pitch(measured: Sequence[ConversionMetrics]) -> float:
    """Mean distance in semitones of converted pitches from other pitches than their own targets'."""
    converted = np.array([each.converted_f0_hz for each in measured])
    targets = np.array([each.target_speaker_f0_hz for each in measured])
    others = targets[:, None] != targets
    distances = np.abs(12 * np.log2(converted[:, None] / targets))[others]
    return finite_mean(distances.tolist())
