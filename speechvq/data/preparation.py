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
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from speechvq.audio.waveform import SAMPLE_RATE, TARGET_RMS, TRIM_DB
from speechvq.data.corpora.recording import Found, Recording
from speechvq.data.manifest import FILE_NAME, Utterance, write_manifest
from speechvq.data.preprocessing import Outcome, condition, sound_path
from speechvq.data.splits import SplitRule, choose_unseen, split_of
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.runtime.progress import progress
from speechvq.runtime.worker_pool import in_order

COMPLAINTS = "complaints.txt"
DEFAULT_RULE = SplitRule()
SETTINGS = {"sample_rate": SAMPLE_RATE, "level": TARGET_RMS, "trim_db": TRIM_DB}


@dataclass(frozen=True)
class Summary:
    """What a preparation did."""

    utterances: list[Utterance]
    changes: Counter[str]  # what was down-mixed or resampled, see Sound.change
    skipped: Counter[str]  # what was left out, by reason
    complaints: list[str]  # one line a file
    without_text: int


def prepare_corpus(
    found: Found, out: Path, rule: SplitRule = DEFAULT_RULE, *, source: str = "", jobs: int | None = None
) -> Summary:
    """Write the prepared corpus, its manifest last.

    Args:
        found: the recordings of the corpus.
        out: made when missing; what an earlier call with the same source completed is kept.
        rule: how utterances are divided among train, dev, test and unseen.
        source: what the recordings are (corpus, folder, microphone); another source needs another `out`.
        jobs: processes; None takes one for each core.

    Raises:
        UserError: every recording failed, `out` was prepared from another source or holds the recordings, the
            rule names unknown speakers, or the disk refuses.
    """
    recordings = found.recordings
    choose_unseen([recording.speaker for recording in recordings], rule)  # told before the work, not after
    _check_apart(recordings, out)
    claim(out, source)
    done = in_order(partial(condition, out=out), recordings, jobs)
    outcomes = list(progress(done, total=len(recordings), label="prepare", unit="utt"))
    summary = _summary(found, outcomes, out, rule)
    _list_complaints(out / COMPLAINTS, summary.complaints)
    if not summary.utterances:
        first = summary.complaints[0] if summary.complaints else "no recordings were found"
        raise UserError(f"{out}: none of {len(recordings)} recordings could be prepared; {first}")
    write_manifest(out / FILE_NAME, summary.utterances)
    return summary


def claim(out: Path, source: str) -> None:
    """Write into `out` what is prepared there, so that two corpora or settings never mix in one folder.

    Raises:
        UserError: something else was prepared there before.
    """
    path = out / "preparation.json"
    content = json.dumps({"source": source, **SETTINGS}, indent=2).encode()
    if path.exists() and path.read_bytes() != content:
        raise UserError(
            f"{out}: was prepared from another source or otherwise; remove it or choose another --out"
        )
    write_bytes(path, content)


def _check_apart(recordings: Sequence[Recording], out: Path) -> None:
    """The prepared FLAC files must not land among the recordings and take them for their own."""
    target = (out / "audio").resolve()
    folders = {recording.audio.parent for recording in recordings}
    if any(folder.resolve().is_relative_to(target) for folder in folders):
        raise UserError(f"{out}: holds the recordings themselves; give --out another folder")


def _list_complaints(path: Path, complaints: Sequence[str]) -> None:
    """All of them; the terminal shows only the first."""
    path.unlink(missing_ok=True)
    if complaints:
        write_bytes(path, "".join(f"{line}\n" for line in complaints).encode(errors="replace"))


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
    return [_utterance(outcome, splits[outcome.recording.utt], out) for outcome in made]


def _utterance(made: Outcome, split: str, out: Path) -> Utterance:
    recording = made.recording
    return Utterance(recording.utt, recording.speaker, split, made.seconds, sound_path(out, recording))
