"""Metrics of one voice conversion: F0, voicing, speaker classification and log-mel distance."""

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

from speechvq.audio.f0 import (
    F0_HOP,
    F0Track,
    harmonics_to_noise_ratio,
    median_f0,
    semitones,
    track_f0,
    voiced_fraction,
)
from speechvq.audio.mel_power import FFT, mel_power
from speechvq.metrics.pauses import pause_level_db
from speechvq.metrics.speaker_classifier import SpeakerClassifier

MIN_F0_GAP = 2.0  # semitones between source and target; below it, no shift can be measured

SpeakerRole = Literal["target", "source", "other"]


class ConversionMetrics(NamedTuple):
    """Metrics of one conversion; F0 values are medians, NaN for whispered speech, see `median_f0`."""

    source_f0_hz: float  # of the source recording
    converted_f0_hz: float
    source_speaker_f0_hz: float  # over all reference recordings of the speaker
    target_speaker_f0_hz: float
    f0_closer_to_target: float  # 1 or 0, NaN if undefined, see the function of this name
    f0_shift_ratio: float  # see the function of this name
    f0_distance_semitones: float  # absolute distance from the target speaker's F0
    source_voiced_fraction: float  # of the frames that are not silent
    converted_voiced_fraction: float
    source_hnr_db: float  # harmonics-to-noise ratio
    converted_hnr_db: float
    pause_level_db: float  # of the conversion in the pauses of the source, see `pauses.pause_level_db`
    classified_as: SpeakerRole  # speaker with the highest classifier score
    target_preferred: float  # 1 if the target scores higher than the source, else 0; NaN if they are the same
    log_mel_distance_db: float  # see `log_mel_distance`


def measure_conversion(
    source: np.ndarray,
    converted: np.ndarray,
    *,
    speakers: tuple[str, str],
    speaker_f0s: tuple[float, float],
    classifier: SpeakerClassifier,
) -> ConversionMetrics:
    """Measure one conversion.

    Args:
        source: (T,), float, 16 kHz.
        converted: (T',), the converted recording; T' may differ, and `log_mel_distance` ignores the rest.
        speakers: names of source and target speaker, known to the classifier; equal for a resynthesis.
        speaker_f0s: F0 of source and target speaker in Hz, see `speaker_f0`.
        classifier: fitted on recordings that include neither `source` nor `converted`.
    """
    before, after = track_f0(source), track_f0(converted)
    source_f0, converted_f0 = median_f0(before), median_f0(after)
    target_f0 = speaker_f0s[1]
    scores, same_speaker = classifier.scores(converted), speakers[0] == speakers[1]
    closer = math.nan if same_speaker else f0_closer_to_target(source_f0, converted_f0, target_f0)
    return ConversionMetrics(
        source_f0_hz=source_f0,
        converted_f0_hz=converted_f0,
        source_speaker_f0_hz=speaker_f0s[0],
        target_speaker_f0_hz=target_f0,
        f0_closer_to_target=closer,
        f0_shift_ratio=f0_shift_ratio(source_f0, converted_f0, target_f0),
        f0_distance_semitones=abs(semitones(converted_f0, target_f0)),
        source_voiced_fraction=voiced_fraction(before),
        converted_voiced_fraction=voiced_fraction(after),
        source_hnr_db=harmonics_to_noise_ratio(before),
        converted_hnr_db=harmonics_to_noise_ratio(after),
        pause_level_db=pause_level_db(source, converted),
        classified_as=_best_role(scores, *speakers),
        target_preferred=math.nan if same_speaker else float(scores[speakers[1]] > scores[speakers[0]]),
        log_mel_distance_db=log_mel_distance(source, converted),
    )


def speaker_f0(references: Iterable[np.ndarray]) -> float:
    """Median F0 over all voiced frames of a speaker's recordings, (T,) each; Hz, NaN for whispered speech."""
    tracks = [track_f0(wave) for wave in references]
    return median_f0(F0Track(*(np.concatenate(part) for part in zip(*tracks)))) if tracks else math.nan


def f0_closer_to_target(source: float, converted: float, target: float) -> float:
    """1 if the converted F0 is closer to the target speaker's F0 than to the source's, in semitones; else 0.

    Args:
        source: F0 of the source in Hz.
        converted: F0 of the conversion in Hz; NaN, for unvoiced speech, scores 0.
        target: F0 of the target speaker in Hz.

    Returns:
        1, 0, or NaN if source and target are less than two semitones apart or either is NaN.
    """
    if not abs(semitones(source, target)) >= MIN_F0_GAP:  # also true for NaN
        return math.nan
    return float(abs(semitones(converted, target)) < abs(semitones(converted, source)))


def f0_shift_ratio(source: float, converted: float, target: float) -> float:
    """F0 shift of the conversion, divided by the gap between source and target, in semitones.

    Args:
        source: F0 of the source in Hz.
        converted: F0 of the conversion in Hz.
        target: F0 of the target speaker in Hz.

    Returns:
        0 for no shift and 1 for the target's F0; NaN for an unvoiced conversion, and where
        `f0_closer_to_target` is undefined.
    """
    gap = semitones(target, source)
    return semitones(converted, source) / gap if abs(gap) >= MIN_F0_GAP else math.nan


def log_mel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square difference of two log-mel spectrograms in dB, frame by frame.

    The mean over time of each band is subtracted. This removes level, microphone and most of the speaker, so
    the distance depends mainly on the spoken content.

    Args:
        first: (T,), float, 16 kHz.
        second: (T',); only the first min(T, T') samples are compared.

    Returns:
        Distance in dB; NaN if either waveform is empty.
    """
    length = min(len(first), len(second))
    if not length:
        return math.nan
    difference = _centered_log_mel(first[:length]) - _centered_log_mel(second[:length])
    return float(np.sqrt(np.mean(difference**2)))


def _best_role(scores: dict[str, float], source: str, target: str) -> SpeakerRole:
    """Role of the speaker with the highest score."""
    best = max(scores, key=scores.__getitem__)
    return "target" if best == target else "source" if best == source else "other"


def _centered_log_mel(wave: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram minus its mean over time: (T,) to (40, F), dB, dynamic range limited to 60 dB."""
    from librosa import power_to_db

    length = max(len(wave), FFT)
    power = mel_power(wave, np.arange(0, length + 1, F0_HOP)).T
    decibels = power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=60.0)
    return decibels - decibels.mean(axis=1, keepdims=True)
