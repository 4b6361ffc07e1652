"""Did a conversion change the voice and keep the sentence? What a single sound tells."""

import math
from collections.abc import Iterable
from typing import Literal, NamedTuple

import numpy as np

from speechvq.audio.f0 import (
    F0Track,
    harmonics_to_noise_ratio,
    median_f0,
    semitones,
    track_f0,
    voiced_fraction,
)
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.metrics.speaker_classifier import SpeakerClassifier

MIN_F0_GAP = (
    2.0  # semitones between source and target from which on it is asked to whom the new pitch is nearer
)

SpeakerRole = Literal["target", "source", "other"]


class ConversionMetrics(NamedTuple):
    """What is measured of one sound; pitches are medians in Hz, NaN for whispers, see median_f0."""

    source_f0_hz: float  # of the source sentence
    converted_f0_hz: float
    source_speaker_f0_hz: float  # of all the speaker's references together
    target_speaker_f0_hz: float
    f0_closer_to_target: float  # 1 or 0; NaN where there is no answer, see nearer_target
    f0_shift_ratio: float  # share of the way, see pitch_shift
    f0_distance_semitones: float  # semitones from the target speaker's pitch, without sign
    source_voiced_fraction: float  # share of the frames that are not silent
    converted_voiced_fraction: float
    source_hnr_db: float  # dB
    converted_hnr_db: float
    classified_as: SpeakerRole  # whose voice the classifier hears
    target_preferred: float  # 1 where the target is likelier than the source, else 0; NaN where they are one
    log_mel_distance_db: float  # dB, see mel_distance


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
        source: (T,), float, 16 kHz: the sentence.
        converted: (T',): the same in another voice; T' may differ, what is longer is ignored by mel_distance.
        speakers: names of source and target, which the classifier knows; equal where a sentence was spoken
            again in its own voice.
        pitches: their median pitches, see speaker_pitch.
        classifier: fitted on references that hold neither sound.
    """
    before, after = track_f0(source), track_f0(converted)
    pitch, new_pitch = median_f0(before), median_f0(after)
    scores, same_voice = classifier.scores(converted), speakers[0] == speakers[1]
    return ConversionMetrics(
        source_f0_hz=pitch,
        converted_f0_hz=new_pitch,
        source_speaker_f0_hz=speaker_f0s[0],
        target_speaker_f0_hz=speaker_f0s[1],
        f0_closer_to_target=math.nan if same_voice else f0_closer_to_target(pitch, new_pitch, speaker_f0s[1]),
        f0_shift_ratio=f0_shift_ratio(pitch, new_pitch, speaker_f0s[1]),
        f0_distance_semitones=abs(semitones(new_pitch, speaker_f0s[1])),
        source_voiced_fraction=voiced_fraction(before),
        converted_voiced_fraction=voiced_fraction(after),
        source_hnr_db=harmonics_to_noise_ratio(before),
        converted_hnr_db=harmonics_to_noise_ratio(after),
        classified_as=_classified_as(scores, *speakers),
        target_preferred=math.nan if same_voice else float(scores[speakers[1]] > scores[speakers[0]]),
        log_mel_distance_db=log_mel_distance(source, converted),
    )


def speaker_f0(references: Iterable[np.ndarray]) -> float:
    """Median pitch of all voiced frames of a speaker's sounds, (T,) each; Hz, NaN for whispers."""
    tracks = [track_f0(wave) for wave in references]
    return median_f0(F0Track(*(np.concatenate(part) for part in zip(*tracks)))) if tracks else math.nan


def f0_closer_to_target(source: float, converted: float, target: float) -> float:
    """1 where the converted pitch is nearer, in semitones, to the target speaker's than to the source's.

    An unvoiced conversion counts as 0. NaN where the question has no answer: source and target are less than
    two semitones apart, or one of them is NaN.
    """
    if not abs(semitones(source, target)) >= MIN_F0_GAP:  # NaN too
        return math.nan
    return float(abs(semitones(converted, target)) < abs(semitones(converted, source)))


def f0_shift_ratio(source: float, converted: float, target: float) -> float:
    """How much of the way from source to target a pitch went, in semitones: 0 none, 1 all, 2 twice as far.

    NaN for unvoiced conversions, and where nearer_target has no answer.
    """
    way = semitones(target, source)
    return semitones(converted, source) / way if abs(way) >= MIN_F0_GAP else math.nan


def log_mel_distance(first: np.ndarray, second: np.ndarray) -> float:
    """Root mean square difference of two log-mel spectrograms, dB, frame by frame.

    Of each band its mean over time is taken away, and with it level, microphone and much of the voice, so
    that mainly what is said remains.

    Args:
        first: (T,), float, 16 kHz.
        second: (T',); only the first min(T, T') samples are compared.

    Returns:
        NaN for sounds without samples.
    """
    length = min(len(first), len(second))
    if not length:
        return math.nan
    difference = _centered_log_mel(first[:length]) - _centered_log_mel(second[:length])
    return float(np.sqrt(np.mean(difference**2)))


def _classified_as(scores: dict[str, float], source: str, target: str) -> SpeakerRole:
    """Whose score is the highest."""
    best = max(scores, key=scores.__getitem__)
    return "target" if best == target else "source" if best == source else "other"


def _centered_log_mel(wave: np.ndarray) -> np.ndarray:
    """Log-mel spectrogram without its mean over time: (T,) to (40, F), dB, at most 60 below the loudest."""
    from librosa import power_to_db
    from librosa.feature import melspectrogram

    padded = np.pad(np.asarray(wave, np.float32), (0, max(0, 512 - len(wave))))
    power = melspectrogram(y=padded, sr=SAMPLE_RATE, n_fft=512, win_length=400, hop_length=160, n_mels=40)
    decibels = power_to_db(power, ref=max(float(power.max()), 1e-10), top_db=60.0)
    return decibels - decibels.mean(axis=1, keepdims=True)
