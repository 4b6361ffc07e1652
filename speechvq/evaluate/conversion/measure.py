"""Measurement of every conversion, and of the baselines in its place."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.lossy_copy import lossy_copy
from speechvq.audio.waveform import read_waveform
from speechvq.data.conversions import ConversionPair, EvaluationFold, read_reference_audio
from speechvq.data.manifest import Utterance
from speechvq.judges.metric import ConversionExample, Metric
from speechvq.metrics.conversion import ConversionMetrics, log_mel_distance, measure_conversion, speaker_f0
from speechvq.metrics.speaker_classifier import SpeakerClassifier
from speechvq.runtime.progress import progress

RANDOM_VOICE_SEED = 0


class MeasuredConversions(NamedTuple):
    """Metrics of the conversions and of the baselines."""

    pairs: list[ConversionPair]  # by path
    metrics: dict[str, list[ConversionMetrics]]  # by what was measured, see `ConversionExample.sounds`
    mismatched_distances: list[float]  # log-mel distances of conversions from sources of other sentences


class _Task(NamedTuple):
    """A conversion to measure, and the recordings of its fold."""

    pair: ConversionPair
    held_out_target: Utterance | None
    fold: EvaluationFold
    reference: "SpeakerReference"


def measure(folds: Sequence[EvaluationFold], metrics: Sequence[Metric]) -> MeasuredConversions:
    """Measure every conversion, and update the metrics with it.

    Raises:
        UserError: a recording cannot be read.
    """
    tasks = [
        _Task(pair, held_out, fold, reference)
        for fold in folds
        for reference in [SpeakerReference(fold.speaker_references, fold.pairs)]
        for pair, held_out in zip(fold.pairs, fold.held_out_targets)
    ]
    tasks.sort(key=lambda task: task.pair.path)
    measured = MeasuredConversions([task.pair for task in tasks], {"values": []}, [])
    rng = np.random.default_rng(RANDOM_VOICE_SEED)
    for i, task in enumerate(progress(tasks, total=len(tasks), label="measure", unit="conversions")):
        source = read_waveform(task.pair.source.path)
        example = ConversionExample(
            task.pair,
            source,
            read_waveform(task.pair.path),
            _read(task.held_out_target),
            _read(_other_sentence(measured.pairs, i)),
            lossy_copy(source),
            _read(_random_voice(task.pair, task.fold, rng)),
        )
        for kind, wave in example.sounds().items():
            values = measured.metrics.setdefault(kind, [])
            values.append(task.reference.measure(task.pair, source, wave))
        if example.mismatched_sentence is not None:
            distance = log_mel_distance(example.mismatched_sentence, example.converted)
            measured.mismatched_distances.append(distance)
        for metric in metrics:
            metric.update(example)
    return measured


class SpeakerReference:
    """A classifier of all speakers of a fold, and the F0 of its source and target speakers."""

    def __init__(
        self, references: Mapping[str, Sequence[Utterance]], pairs: Sequence[ConversionPair]
    ) -> None:
        """
        Args:
            references: recordings that represent each speaker.
            pairs: the conversions that will be measured.
        """
        labeled = [(utterance, speaker) for speaker, each in references.items() for utterance in each]
        waves = progress(
            read_reference_audio(utterance for utterance, _ in labeled),
            total=len(labeled),
            label="fit the speaker classifier",
            unit="recordings",
        )
        self.classifier = SpeakerClassifier.fit(waves, [speaker for _, speaker in labeled])
        speakers = {pair.target for pair in pairs} | {pair.source.speaker for pair in pairs}
        self.f0 = {
            speaker: speaker_f0(read_reference_audio(references[speaker])) for speaker in sorted(speakers)
        }

    def measure(self, pair: ConversionPair, source: np.ndarray, wave: np.ndarray) -> ConversionMetrics:
        """Measure a waveform (T',) as the conversion of the pair's source (T,)."""
        speakers = (pair.source.speaker, pair.target)
        f0s = (self.f0[speakers[0]], self.f0[speakers[1]])
        return measure_conversion(
            source, wave, speakers=speakers, speaker_f0s=f0s, classifier=self.classifier
        )


def _other_sentence(pairs: Sequence[ConversionPair], i: int) -> Utterance | None:
    """The next source that differs from the source of pair i, cyclically; None if all are the same."""
    rotated = [pair.source for pair in [*pairs[i:], *pairs[:i]]]
    return next((source for source in rotated if source != pairs[i].source), None)


def _random_voice(pair: ConversionPair, fold: EvaluationFold, rng: np.random.Generator) -> Utterance | None:
    """A random reference of a random speaker who is neither source nor target; None if there is none.

    The speaker classifier has been fitted on it, for its own speaker, who is not one of the two.
    """
    others = sorted(fold.speaker_references.keys() - {pair.source.speaker, pair.target})
    if not others:
        return None
    recordings = fold.speaker_references[others[rng.integers(len(others))]]
    return recordings[rng.integers(len(recordings))]


def _read(utterance: Utterance | None) -> np.ndarray | None:
    return None if utterance is None else read_waveform(utterance.path)
