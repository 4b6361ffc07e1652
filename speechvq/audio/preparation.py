"""From a corpus as it was published to one that training reads: trimmed, levelled, 16 kHz, with a manifest.

    OUT/audio/SPEAKER/UTT.flac    16-bit
    OUT/txt/SPEAKER/UTT.txt       where the corpus has the text
    OUT/lab/SPEAKER/UTT.lab       where it has an alignment; times follow the trimming
    OUT/manifest.tsv
    OUT/complaints.txt            a line for each file that was left out, if any
    OUT/preparation.json          what was prepared and how, so that no two corpora mix

A call that was interrupted goes on where it stopped.
"""

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from speechvq.audio.atomic import write_bytes
from speechvq.audio.conditioning import Outcome, condition, sound_path
from speechvq.audio.corpora.recording import Found, Recording
from speechvq.audio.manifest import FILE_NAME, Utterance, write_manifest
from speechvq.audio.split import SplitRule, choose_unseen, split_of
from speechvq.audio.waveform import LEVEL, SAMPLE_RATE, TRIM_DB
from speechvq.errors import UserError
from speechvq.progress import progress

FEW = 32  # recordings; fewer are done before another process has started
SETTINGS = {"sample_rate": SAMPLE_RATE, "level": LEVEL, "trim_db": TRIM_DB}


@dataclass(frozen=True)
class Summary:
    """What a preparation did."""

    utterances: list[Utterance]
    changes: Counter[str]  # what was down-mixed or resampled, see Sound.change
    skipped: Counter[str]  # what was left out, by reason
    complaints: list[str]  # one line a file
    without_text: int


def prepare_corpus(
    found: Found, out: Path, rule: SplitRule = SplitRule(), *, source: str = "", jobs: int | None = None
) -> Summary:
    """Write the prepared corpus, its manifest last.

    Args:
        found: the recordings of the corpus.
        out: made when missing; what an earlier call with the same source completed is kept.
        rule: how utterances are divided among train, dev, test and unseen.
        source: what the recordings are (corpus, folder, microphone); another source needs another `out`.
        jobs: processes; None takes one for each core.

    Raises:
        UserError: every recording failed, `out` was prepared from another source or holds the recordings, the rule
            names unknown speakers, or the disk refuses.
    """
    recordings = found.recordings
    choose_unseen((recording.speaker for recording in recordings), rule)  # a wrong name is told before the work
    _check_apart(recordings, out)
    _claim(out, source)
    done = _each(partial(condition, out=out), recordings, jobs)
    outcomes = list(progress(done, total=len(recordings), label="prepare", unit="utt"))
    summary = _summary(found, outcomes, out, rule)
    write_bytes(out / "complaints.txt", "".join(f"{line}\n" for line in summary.complaints).encode(errors="replace"))
    if not summary.utterances:
        first = summary.complaints[0] if summary.complaints else "no recordings were found"
        raise UserError(f"{out}: none of {len(recordings)} recordings could be prepared; {first}")
    write_manifest(out / FILE_NAME, summary.utterances)
    return summary


def _check_apart(recordings: Sequence[Recording], out: Path) -> None:
    """The prepared FLAC files must not land among the recordings and take them for their own."""
    target = (out / "audio").resolve()
    folders = {recording.audio.parent for recording in recordings}
    if any(folder.resolve().is_relative_to(target) for folder in folders):
        raise UserError(f"{out}: holds the recordings themselves; give --out another folder")


def _claim(out: Path, source: str) -> None:
    path = out / "preparation.json"
    claim = {"source": source, **SETTINGS}
    if path.exists():
        try:
            earlier = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            earlier = None
        if earlier != claim:
            raise UserError(f"{out}: was prepared from another source or with other settings; remove it or choose another --out")
    write_bytes(path, json.dumps(claim, indent=2).encode())


def _each(
    work: Callable[[Recording], Outcome], recordings: Sequence[Recording], jobs: int | None
) -> Iterator[Outcome]:
    """Outcomes in the order of the recordings; one recording a process is in memory at a time."""
    jobs = min(jobs or _cores(), max(1, len(recordings) // FEW))
    if jobs == 1:
        yield from map(work, recordings)
        return
    # spawn: the same on every system, and safe beside the threads that numpy and torch start
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    try:
        yield from pool.map(work, recordings, chunksize=8)
    except BrokenProcessPool as error:
        raise UserError("a process was killed, perhaps for want of memory; give fewer --jobs") from error
    finally:
        pool.shutdown(cancel_futures=True)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _summary(found: Found, outcomes: Sequence[Outcome], out: Path, rule: SplitRule) -> Summary:
    made = [outcome for outcome in outcomes if not outcome.skipped]
    return Summary(
        _utterances(made, out, rule),
        Counter(outcome.change for outcome in made if outcome.change),
        found.skipped + Counter(outcome.skipped for outcome in outcomes if outcome.skipped),
        [outcome.complaint for outcome in outcomes if outcome.complaint],
        sum(outcome.recording.text is None for outcome in made),
    )


def _utterances(made: Sequence[Outcome], out: Path, rule: SplitRule) -> list[Utterance]:
    """The manifest's rows; split over what could be prepared, so that shares and least counts hold."""
    if not made:
        return []
    splits = split_of({outcome.recording.utt: outcome.recording.speaker for outcome in made}, rule)
    return [
        Utterance(one.recording.utt, one.recording.speaker, splits[one.recording.utt], one.seconds, sound_path(out, one.recording))
        for one in made
    ]
