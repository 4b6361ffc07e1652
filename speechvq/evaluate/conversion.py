"""`python -m speechvq.evaluate conversion`: did the voice change, and did the sentence stay?"""

import argparse
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.audio.atomic import write_bytes
from speechvq.audio.manifest import Utterance, read_manifest
from speechvq.audio.waveform import read_waveform
from speechvq.command import run
from speechvq.errors import UserError
from speechvq.evaluate.hearing import Heard
from speechvq.evaluate.jobs import Job, choose_references, find_jobs, own_recordings, read_references
from speechvq.evaluate.judges import choose_judges
from speechvq.evaluate.tables import conversion_table, summary_table
from speechvq.evaluation.conversion import Conversion, measure_conversion, mel_distance, speaker_pitch
from speechvq.evaluation.summary import Figure, summarise
from speechvq.evaluation.voices import VoiceClassifier
from speechvq.progress import progress


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser(prog="speechvq.evaluate conversion", description=__doc__)
    parser.add_argument(
        "--converted", type=Path, required=True, help="DIR/TARGET/UTT.wav, as convert makes it"
    )
    parser.add_argument("--manifest", type=Path, required=True, help="of the sources, for example data/mini")
    parser.add_argument(
        "--references", type=int, default=10, help="recordings by which a voice is known (default 10)"
    )
    parser.add_argument(
        "--resynthesis", type=Path, help="the sources in their own voices: DIR/UTT.wav or DIR/SPEAKER/UTT.wav"
    )
    parser.add_argument(
        "--wer",
        type=Path,
        metavar="TEXTS",
        help="words misheard, against UTT.txt in this folder; downloads a recogniser of 360 MB",
    )
    parser.add_argument(
        "--json", type=Path, help="write every number to this file, for example for report --scores"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a user's mistake."""
    return run(build_parser(), _work, argv)


def _work(arguments: argparse.Namespace) -> None:
    if arguments.references < 1:
        raise UserError(f"--references {arguments.references}: a voice is known by one recording at least")
    utterances = read_manifest(arguments.manifest)
    jobs = find_jobs(arguments.converted, utterances)
    references = choose_references(utterances, jobs, arguments.references)
    judges, left_out = choose_judges(
        jobs, references, resynthesis=arguments.resynthesis, texts=arguments.wer
    )
    scale = _Scale(references, jobs)
    converted, unchanged, own, strangers = [], [], [], []
    others = own_recordings(jobs, utterances, references)
    for i, job in enumerate(progress(jobs, total=len(jobs), label="measure", unit="conversions")):
        source, new = read_waveform(job.utterance.path), read_waveform(job.path)
        converted.append(scale.measure(job, source, new))
        unchanged.append(scale.measure(job, source, source))
        if (other := _read(others[i])) is not None:
            own.append(scale.measure(job, source, other))
        if (stranger := _read(_another_sentence(jobs, i))) is not None:
            strangers.append(mel_distance(stranger, new))
        for judge in judges:
            judge.hear(Heard(job, source, new, other, stranger))
    figures = summarise(converted, unchanged, own, voices=len(references), strangers=strangers)
    figures += [figure for judge in judges for figure in judge.figures()]
    print(conversion_table(jobs, converted), summary_table(figures, len(jobs)), sep="\n\n")
    print("\n".join(left_out), end="\n" * bool(left_out))
    if arguments.json:
        _write_json(arguments.json, jobs, converted, figures, voices=len(references))


def _write_json(
    path: Path, jobs: Sequence[Job], measured: Sequence[Conversion], figures: Sequence[Figure], *, voices: int
) -> None:
    """Every number that was printed, and more."""
    rows = [
        {"utterance": job.utterance.utt, "source": job.utterance.speaker, "target": job.target}
        | each._asdict()
        for job, each in zip(jobs, measured)
    ]
    summary = {figure.name: figure._asdict() for figure in figures}
    content = _without_nan({"voices": voices, "conversions": rows, "summary": summary})
    write_bytes(path, json.dumps(content, indent=1, allow_nan=False).encode())


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


def _without_nan(value: Any) -> Any:
    """The same with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
