"""Every conversion measured, and with it what its figures are held against."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.waveform import read_waveform
from speechvq.data.conversions import ConversionPair, EvaluationFold, read_reference_audio
from speechvq.data.manifest import Utterance
from speechvq.judges.metric import ConversionExample, Metric
from speechvq.metrics.conversion import ConversionMetrics, log_mel_distance, measure_conversion, speaker_f0
from speechvq.metrics.speaker_classifier import SpeakerClassifier
from speechvq.runtime.progress import progress


class Measured(NamedTuple):
    """Conversions, sources in their place, recordings of the targets in their place, and chance."""

    jobs: list[ConversionPair]  # by path
    converted: list[ConversionMetrics]  # of each job
    unchanged: list[ConversionMetrics]  # of each job
    own: list[ConversionMetrics]  # of the jobs whose target has another recording
    strangers: list[float]  # mel distances of conversions from sources of other sentences


def measure(folds: Sequence[EvaluationFold], judges: Sequence[Metric]) -> Measured:
    """Measure every conversion once, and let the judges hear it.

    Raises:
        UserError: a sound cannot be read.
    """
    scales = [_Scale(fold.speaker_references, fold.pairs) for fold in folds]
    tasks = [
        (job, own, scale)
        for fold, scale in zip(folds, scales)
        for job, own in zip(fold.pairs, fold.held_out_targets)
    ]
    tasks.sort(key=lambda task: task[0].path)
    found = Measured([job for job, _, _ in tasks], [], [], [], [])
    for i, (job, own, scale) in enumerate(
        progress(tasks, total=len(tasks), label="measure", unit="conversions")
    ):
        heard = ConversionExample(
            job,
            read_waveform(job.source.path),
            read_waveform(job.path),
            _read(own),
            _read(_another_sentence(found.jobs, i)),
        )
        found.converted.append(scale.measure(job, heard.source, heard.converted))
        found.unchanged.append(scale.measure(job, heard.source, heard.source))
        if heard.target_reference is not None:
            found.own.append(scale.measure(job, heard.source, heard.target_reference))
        if heard.mismatched_sentence is not None:
            found.strangers.append(log_mel_distance(heard.mismatched_sentence, heard.converted))
        for judge in judges:
            judge.update(heard)
    return found


class _Scale:
    """What conversions are held against: a classifier of all voices, and the pitches of those that occur."""

    def __init__(self, references: Mapping[str, Sequence[Utterance]], jobs: Sequence[ConversionPair]) -> None:
        labelled = [(u, speaker) for speaker, each in references.items() for u in each]
        sounds = progress(
            read_reference_audio([u for u, _ in labelled]),
            total=len(labelled),
            label="learn the voices",
            unit="recordings",
        )
        self.classifier = SpeakerClassifier.fit(sounds, [speaker for _, speaker in labelled])
        speakers = {job.target for job in jobs} | {job.source.speaker for job in jobs}
        self.pitch = {
            speaker: speaker_f0(read_reference_audio(references[speaker])) for speaker in sorted(speakers)
        }

    def measure(self, job: ConversionPair, source: np.ndarray, sound: np.ndarray) -> ConversionMetrics:
        """Measure a sound (T',) as if it were the job's conversion of the source (T,)."""
        pair = (job.source.speaker, job.target)
        pitches = (self.pitch[pair[0]], self.pitch[pair[1]])
        return measure_conversion(
            source, sound, speakers=pair, speaker_f0s=pitches, classifier=self.classifier
        )


def _another_sentence(jobs: Sequence[ConversionPair], i: int) -> Utterance | None:
    """The source of the next job, going round, that has another than job i; None where all have the same."""
    going_round = [job.source for job in [*jobs[i:], *jobs[:i]]]
    return next((utterance for utterance in going_round if utterance != jobs[i].source), None)


def _read(utterance: Utterance | None) -> np.ndarray | None:
    return None if utterance is None else read_waveform(utterance.path)
