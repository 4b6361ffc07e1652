"""Every conversion measured, and with it what its figures are held against."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.audio.waveform import read_waveform
from speechvq.data.conversions import Fold, Job, read_references
from speechvq.data.manifest import Utterance
from speechvq.judges.metric import Heard, Judge
from speechvq.metrics.conversion import Conversion, measure_conversion, mel_distance, speaker_pitch
from speechvq.metrics.speaker_classifier import VoiceClassifier
from speechvq.runtime.progress import progress


class Measured(NamedTuple):
    """Conversions, sources in their place, recordings of the targets in their place, and chance."""

    jobs: list[Job]  # by path
    converted: list[Conversion]  # of each job
    unchanged: list[Conversion]  # of each job
    own: list[Conversion]  # of the jobs whose target has another recording
    strangers: list[float]  # mel distances of conversions from sources of other sentences


def measure(folds: Sequence[Fold], judges: Sequence[Judge]) -> Measured:
    """Measure every conversion once, and let the judges hear it.

    Raises:
        UserError: a sound cannot be read.
    """
    scales = [_Scale(fold.references, fold.jobs) for fold in folds]
    tasks = [(job, own, scale) for fold, scale in zip(folds, scales) for job, own in zip(fold.jobs, fold.own)]
    tasks.sort(key=lambda task: task[0].path)
    found = Measured([job for job, _, _ in tasks], [], [], [], [])
    for i, (job, own, scale) in enumerate(
        progress(tasks, total=len(tasks), label="measure", unit="conversions")
    ):
        heard = Heard(
            job,
            read_waveform(job.utterance.path),
            read_waveform(job.path),
            _read(own),
            _read(_another_sentence(found.jobs, i)),
        )
        found.converted.append(scale.measure(job, heard.source, heard.converted))
        found.unchanged.append(scale.measure(job, heard.source, heard.source))
        if heard.own is not None:
            found.own.append(scale.measure(job, heard.source, heard.own))
        if heard.stranger is not None:
            found.strangers.append(mel_distance(heard.stranger, heard.converted))
        for judge in judges:
            judge.hear(heard)
    return found


class _Scale:
    """What conversions are held against: a classifier of all voices, and the pitches of those that occur."""

    def __init__(self, references: Mapping[str, Sequence[Utterance]], jobs: Sequence[Job]) -> None:
        labelled = [(u, speaker) for speaker, each in references.items() for u in each]
        sounds = progress(
            read_references([u for u, _ in labelled]),
            total=len(labelled),
            label="learn the voices",
            unit="recordings",
        )
        self.classifier = VoiceClassifier.fit(sounds, [speaker for _, speaker in labelled])
        speakers = {job.target for job in jobs} | {job.utterance.speaker for job in jobs}
        self.pitch = {
            speaker: speaker_pitch(read_references(references[speaker])) for speaker in sorted(speakers)
        }

    def measure(self, job: Job, source: np.ndarray, sound: np.ndarray) -> Conversion:
        """Measure a sound (T',) as if it were the job's conversion of the source (T,)."""
        pair = (job.utterance.speaker, job.target)
        pitches = (self.pitch[pair[0]], self.pitch[pair[1]])
        return measure_conversion(source, sound, speakers=pair, pitches=pitches, classifier=self.classifier)


def _another_sentence(jobs: Sequence[Job], i: int) -> Utterance | None:
    """The source of the next job, going round, that has another than job i; None where all have the same."""
    going_round = [job.utterance for job in [*jobs[i:], *jobs[:i]]]
    return next((utterance for utterance in going_round if utterance != jobs[i].utterance), None)


def _read(utterance: Utterance | None) -> np.ndarray | None:
    return None if utterance is None else read_waveform(utterance.path)
