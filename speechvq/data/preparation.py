"""Preparation of a corpus for training: trimmed and normalized audio at 16 kHz, and a manifest.

    OUT/audio/SPEAKER/UTT.flac    16-bit
    OUT/audio/SPEAKER/UTT.safetensors    its F0 and glottal phase, see `tracks`
    OUT/txt/SPEAKER/UTT.txt       if the corpus has transcripts
    OUT/lab/SPEAKER/UTT.lab       if it has alignments; times are relative to the trimmed audio
    OUT/manifest.tsv
    OUT/problems.txt              one line per skipped file, if any
    OUT/preparation.json          source and settings, so that two corpora never mix

An interrupted call continues where it stopped. `preprocessing` has the steps for one recording;
`images.preparation` prepares image sets.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from speechvq.audio.waveform import SAMPLE_RATE, TARGET_RMS, TRIM_DB
from speechvq.data.corpora.recording import CorpusListing, Recording
from speechvq.data.manifest import FILE_NAME, Utterance, write_manifest
from speechvq.data.preprocessing import Outcome, PreprocessingWork, audio_path, earlier_outcome
from speechvq.data.splits import SplitRule, choose_unseen, split_of
from speechvq.errors import UserError, printable
from speechvq.io.atomic import remove_file, write_bytes
from speechvq.io.journal import Journal
from speechvq.io.names import check_case
from speechvq.runtime.engine import Engine, LocalEngine
from speechvq.runtime.progress import progress

PROBLEMS = "problems.txt"
MIN_CUT = 0.001  # seconds; a smaller difference of lengths is due to resampling
DEFAULT_RULE = SplitRule()
SETTINGS = {"sample_rate": SAMPLE_RATE, "level": TARGET_RMS, "trim_db": TRIM_DB}


@dataclass(frozen=True)
class Summary:
    """The result of a preparation."""

    utterances: list[Utterance]
    changes: Counter[str]  # recordings that were down-mixed or resampled, by format
    skipped: Counter[str]  # skipped recordings, by reason
    problems: list[str]  # one line per file
    without_text: int
    trimmed: int = 0  # recordings that lost silence at their ends
    cut: float = 0.0  # seconds of silence that were cut in total
    kept: int = field(default=0, compare=False)  # results of earlier calls


def prepare_corpus(
    found: CorpusListing,
    out: Path,
    rule: SplitRule = DEFAULT_RULE,
    *,
    source: str = "",
    engine: Engine = LocalEngine(),  # noqa: B008, which keeps nothing
    keep_silence: bool = False,
) -> Summary:
    """Write the prepared corpus, its manifest last.

    Args:
        found: the recordings of the corpus.
        out: created if missing; results of an earlier call with the same source are kept.
        rule: how utterances are split into train, dev, test and unseen.
        source: name of the recordings (corpus, folder, microphone); another source needs another `out`.
        engine: does the work on each recording; on a cluster, all computers need `out`.
        keep_silence: whether the silence at the ends of the recordings is kept.

    Raises:
        UserError: every recording failed, `out` was prepared from another source or contains the recordings,
            the rule names unknown speakers, or the disk is full or not writable.
    """
    recordings = found.recordings
    choose_unseen([recording.speaker for recording in recordings], rule)  # reports mistakes before the work
    _check_apart(recordings, out)
    reserve_folder(out, source, keep_silence=keep_silence)
    check_case((audio_path(out, recording) for recording in recordings), out)
    journal = Journal(out, SETTINGS | {"keep_silence": keep_silence})
    finished = journal.read()
    earlier = [earlier_outcome(recording, finished) for recording in recordings]
    missing = [recording for recording, outcome in zip(recordings, earlier) if outcome is None]
    work = PreprocessingWork(out, journal, keep_silence=keep_silence)
    made = progress(engine.map(work, missing), total=len(missing), label="prepare", unit="utt")
    new = iter(list(made))
    outcomes = [outcome or next(new) for outcome in earlier]
    summary = _summary(found, outcomes, out, rule, kept=len(recordings) - len(missing))
    _list_problems(out / PROBLEMS, summary.problems)
    if not summary.utterances:
        first = summary.problems[0] if summary.problems else "no recordings were found"
        raise UserError(f"{out}: none of {len(recordings)} recordings could be prepared; {first}")
    write_manifest(out / FILE_NAME, summary.utterances)
    return summary


def reserve_folder(out: Path, source: str, *, keep_silence: bool = False) -> None:
    """Record source and settings in `out`, so that two corpora never mix in one folder.

    Raises:
        UserError: the folder was prepared from another source or with other settings.
    """
    path = out / "preparation.json"
    settings = SETTINGS | ({"trim_db": None} if keep_silence else {})
    content = json.dumps({"source": source, **settings}, indent=2).encode()
    if path.exists() and path.read_bytes() != content:
        raise UserError(
            f"{out}: was prepared from another source or with other settings; remove it or choose another "
            "--out"
        )
    write_bytes(path, content)


def _check_apart(recordings: Sequence[Recording], out: Path) -> None:
    """Refuse an `out` that contains the recordings: prepared files would be mixed with them."""
    target = (out / "audio").resolve()
    folders = {recording.audio.parent for recording in recordings}
    if any(folder.resolve().is_relative_to(target) for folder in folders):
        raise UserError(f"{out}: contains the recordings themselves; choose another --out")


def _list_problems(path: Path, problems: Sequence[str]) -> None:
    """Write all problems; the terminal shows only the first."""
    remove_file(path)
    if problems:
        write_bytes(path, "".join(f"{printable(line)}\n" for line in problems).encode(errors="replace"))


def _summary(
    found: CorpusListing, outcomes: Sequence[Outcome], out: Path, rule: SplitRule, *, kept: int
) -> Summary:
    made = [outcome for outcome in outcomes if not outcome.skipped]
    return Summary(
        _utterances(made, out, rule),
        Counter(outcome.change for outcome in made if outcome.change),
        found.skipped + Counter(outcome.skipped for outcome in outcomes if outcome.skipped),
        [outcome.problem for outcome in outcomes if outcome.problem],
        sum(outcome.recording.text is None for outcome in made),
        sum(outcome.cut > MIN_CUT for outcome in made),
        sum(outcome.cut for outcome in made),
        kept,
    )


def _utterances(made: Sequence[Outcome], out: Path, rule: SplitRule) -> list[Utterance]:
    """The manifest's rows. Only prepared utterances are split, so the fractions hold for them."""
    if not made:
        return []
    splits = split_of({outcome.recording.utt: outcome.recording.speaker for outcome in made}, rule)
    return [_utterance(outcome, splits[outcome.recording.utt], out) for outcome in made]


def _utterance(made: Outcome, split: str, out: Path) -> Utterance:
    recording = made.recording
    path = audio_path(out, recording)
    return Utterance(recording.utt, recording.speaker, split, made.seconds, path, made.start)
