"""Many conversions together: figures with intervals, and beside each what chance and no conversion score."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.f0 import harmonics_to_noise_ratio, track_f0, voiced_fraction
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.conversion import Conversion

RESAMPLINGS = 2000


class Figure(NamedTuple):
    """One line of a summary; NaN where there is nothing to say."""

    name: str
    label: str  # for people
    unit: str  # "%" for shares, otherwise of the number
    mean: float
    low: float  # of the interval of 95 %
    high: float
    count: int  # sounds that had a value
    chance: float  # what no skill scores
    unchanged: float  # what the sources score, handed in as they are
    own: float  # what other recordings of the targets score: the most that can be hoped for


def summarise(
    measured: Sequence[Conversion],
    unchanged: Sequence[Conversion],
    own: Sequence[Conversion],
    *,
    voices: int,
    strangers: Sequence[float],
) -> list[Figure]:
    """Means over all conversions and what to compare them with.

    Args:
        measured: of the converted sounds.
        unchanged: of the sources in place of the converted sounds.
        own: of recordings of the targets in their place; may be empty.
        voices: how many the classifier chose from.
        strangers: mel distances of converted sounds from sources of other sentences.
    """
    noise = track_f0(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
    votes = f"likeliest of {voices} voices"
    chance = {
        "pitch_nearer_target": 0.5,
        "pitch_distance": _wrong_pitch(measured),
        "target_wins": 0.5,
        "target_votes": 1 / voices,
        "source_votes": 1 / voices,
        "voiced_share": voiced_fraction(noise),
        "harmonicity": harmonics_to_noise_ratio(noise),
        "mel_distance": mean(strangers),
    }

    def figure(name: str, label: str, unit: str, value: Callable[[Conversion], float]) -> Figure:
        values, before, others = (list(map(value, each)) for each in (measured, unchanged, own))
        return make_figure(
            name, label, unit, values, chance=[chance.get(name, math.nan)], unchanged=before, own=others
        )

    # Recordings of the target say other sentences, so their spectra are no goal.
    return [
        figure("pitch_nearer_target", "pitch nearer to the target's", "%", lambda c: c.pitch_nearer_target),
        figure("pitch_shift", "pitch shifted, of the way there", "%", lambda c: c.pitch_shift),
        figure("pitch_distance", "pitch away from the target's", "semitones", lambda c: c.pitch_distance),
        figure("target_wins", "target likelier than source", "%", lambda c: c.target_wins),
        figure("target_votes", f"target {votes}", "%", lambda c: float(c.vote == "target")),
        figure("source_votes", f"source {votes}", "%", lambda c: float(c.vote == "source")),
        figure("voiced_share", "voiced share of the sound", "%", lambda c: c.converted_voiced),
        figure("harmonicity", "harmonics over noise", "dB", lambda c: c.converted_harmonicity),
        figure("mel_distance", "spectra away from the source's", "dB", lambda c: c.mel_distance)._replace(
            own=math.nan
        ),
    ]


def make_figure(
    name: str,
    label: str,
    unit: str,
    values: Sequence[float],
    *,
    chance: Sequence[float] = (),
    unchanged: Sequence[float] = (),
    own: Sequence[float] = (),
) -> Figure:
    """A line of a summary from what each sound scored, and each sound of the baselines; NaN are left out."""
    count = sum(map(math.isfinite, values))
    return Figure(name, label, unit, *interval(values), count, mean(chance), mean(unchanged), mean(own))


def mean(values: Sequence[float]) -> float:
    """Mean of the values that are not NaN; NaN where none is left."""
    kept = [value for value in values if math.isfinite(value)]
    return sum(kept) / len(kept) if kept else math.nan


def interval(values: Sequence[float], *, seed: int = 0) -> tuple[float, float, float]:
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
    means = [float(kept[rng.integers(len(kept), size=len(kept))].mean()) for _ in range(RESAMPLINGS)]
    low, high = np.percentile(means, [2.5, 97.5])
    return float(kept.mean()), float(low), float(high)


def _wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's score interval of 95 % for a share of `count`."""
    z = 1.96
    centre = (share + z * z / (2 * count)) / (1 + z * z / count)
    half = z / (1 + z * z / count) * math.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    return max(centre - half, 0.0), min(centre + half, 1.0)


def _wrong_pitch(measured: Sequence[Conversion]) -> float:
    """Mean distance in semitones of converted pitches from other pitches than their own targets'."""
    converted = np.array([each.converted_pitch for each in measured])
    targets = np.array([each.target_speaker_pitch for each in measured])
    others = targets[:, None] != targets
    distances = np.abs(12 * np.log2(converted[:, None] / targets))[others]
    return mean(distances.tolist())
