"""What a folder of conversions holds, and which recordings of the manifest it is compared with."""

import difflib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError

REFERENCE_SECONDS = 10  # of each reference; more of the same sentence tells little

LAYOUT = "expected DIR/TARGET/UTT.wav, as `python -m speechvq.convert --src data/NAME --out DIR` makes"


class ConversionPair(NamedTuple):
    """One converted sound."""

    target: str  # speaker
    source: Utterance  # the source
    path: Path


class EvaluationFold(NamedTuple):
    """Conversions, and the recordings they are compared with; of these none is a source of those."""

    pairs: list[ConversionPair]
    speaker_references: dict[str, list[Utterance]]  # by which each voice is known
    held_out_targets: list[Utterance | None]  # for each job another recording of its target


def match_manifest(folder: Path, utterances: Sequence[Utterance], count: int) -> EvaluationFold:
    """The conversions `folder/TARGET/UTT.wav` of a corpus.

    Args:
        folder: of the conversions.
        utterances: of the manifest, with recordings that were not converted.
        count: recordings by which a voice is known, at most.

    Raises:
        UserError: see find_jobs and choose_references.
    """
    jobs = find_conversion_pairs(folder, utterances)
    references = select_references(utterances, jobs, count)
    return EvaluationFold(jobs, references, select_held_out_targets(jobs, utterances, references))


def find_conversion_pairs(folder: Path, utterances: Sequence[Utterance]) -> list[ConversionPair]:
    """The conversions `folder/TARGET/UTT.wav`, by target and utterance.

    Raises:
        UserError: no folder, nothing in it, or a name that the manifest does not have.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; {LAYOUT}")
    speakers, known = {u.speaker for u in utterances}, {u.utt: u for u in utterances}
    jobs = []
    for path in sorted(folder.glob("*/*.wav")):
        if path.name.startswith("."):  # what an interrupted command left
            continue
        target = path.parent.name
        if target not in speakers:
            raise UserError(
                f"{path.parent}: no speaker '{target}' in the manifest{_nearest(target, speakers)}"
            )
        if path.stem not in known:
            raise UserError(f"{path}: no utterance '{path.stem}' in the manifest{_nearest(path.stem, known)}")
        jobs.append(ConversionPair(target, known[path.stem], path))
    if not jobs:
        raise UserError(f"{folder}: no conversions there; {LAYOUT}")
    return jobs


def select_references(
    utterances: Sequence[Utterance], jobs: Sequence[ConversionPair], count: int
) -> dict[str, list[Utterance]]:
    """Recordings by which each voice is known: from all over the training split, never a converted one.

    A speaker without training split is known by the other recordings; one without any is left out.

    Raises:
        UserError: a source or target is left out, or fewer than two voices remain.
    """
    converted = {job.source.utt for job in jobs}
    chosen: dict[str, list[Utterance]] = {}
    for speaker in sorted({u.speaker for u in utterances}):
        free = [u for u in utterances if u.speaker == speaker and u.utt not in converted]
        pool = [u for u in free if u.split == "train"] or free
        picks = np.linspace(0, len(pool) - 1, min(count, len(pool))).astype(int)
        if len(pool):
            chosen[speaker] = [pool[i] for i in picks]
    for speaker in sorted({job.target for job in jobs} | {job.source.speaker for job in jobs}):
        if speaker not in chosen:
            raise UserError(
                f"speaker '{speaker}' has no recordings but the converted ones; give another, or convert "
                "fewer of them"
            )
    if len(chosen) < 2:
        raise UserError(
            f"'{next(iter(chosen))}' is the only speaker, so there is nothing to tell apart; give two or more"
        )
    return chosen


def select_held_out_targets(
    jobs: Sequence[ConversionPair], utterances: Sequence[Utterance], references: dict[str, list[Utterance]]
) -> list[Utterance | None]:
    """For each job a recording of its target that is no reference, held out from training if there is one."""
    used = {u.utt for each in references.values() for u in each}
    pools: dict[str, list[Utterance]] = {}
    for job in jobs:
        free = [
            u for u in utterances if u.speaker == job.target and u.utt not in used and u.utt != job.source.utt
        ]
        pools.setdefault(job.target, [u for u in free if u.split != "train"] or free)
    return [
        pools[job.target][i % len(pools[job.target])] if pools[job.target] else None
        for i, job in enumerate(jobs)
    ]


def read_reference_audio(utterances: Sequence[Utterance]) -> Iterator[np.ndarray]:
    """Their samples, (T,) each, of at most 10 s."""
    for utterance in utterances:
        yield read_waveform(utterance.path)[: REFERENCE_SECONDS * SAMPLE_RATE]


def _nearest(name: str, names: Sequence[str] | set[str] | dict[str, Utterance]) -> str:
    near = difflib.get_close_matches(name, list(names), n=1)
    return f"; did you mean '{near[0]}'?" if near else "; give the manifest that was converted"
