"""Preprocessing of one recording: 16 kHz, silence trimmed at the ends, normalized level, shifted labels, F0.

What is cut at the beginning is kept in the header of the FLAC file and in the manifest, so that alignments of
the original recording can be shifted.

`preparation` applies it to every recording of a corpus and writes the manifest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from speechvq.alignment.directory import read_alignment
from speechvq.alignment.intervals import Interval, shift_intervals, write_lab
from speechvq.audio.linear_prediction import polarity
from speechvq.audio.waveform import (
    SAMPLE_RATE,
    normalize_level,
    read_audio,
    trim_silence,
    write_waveform,
)
from speechvq.data.corpora.recording import Recording
from speechvq.data.tracks import tracks_path, version, write_tracks
from speechvq.errors import UserError
from speechvq.io.atomic import remove_file, write_bytes
from speechvq.io.journal import Finished, Journal, read_state, settings_digest
from speechvq.runtime.engine import Work

_STARTS_AT = "starts in the original recording at "  # of the comment in the FLAC file, before the seconds
# Fields of an outcome that the journal keeps.
_DETAILS: dict[str, Callable[[Any], Any]] = {
    "seconds": float, "start": float, "cut": float, "change": str, "problem": str,
}  # fmt: skip
MIN_SECONDS = 0.1  # a shorter recording is skipped: it contains no word


@dataclass(frozen=True)
class Outcome:
    """The result for one recording."""

    recording: Recording
    seconds: float = 0.0
    start: float = 0.0  # seconds cut at the beginning
    cut: float = 0.0  # seconds cut at both ends
    change: str = ""  # conversion of the format, see `audio.waveform`
    skipped: str = ""  # the reason, if the recording was skipped
    problem: str = ""  # a line that names file and remedy; also if only the alignment was skipped


def audio_path(out: Path, recording: Recording) -> Path:
    """Path of a recording's preprocessed audio below `out`."""
    return out / "audio" / recording.speaker / f"{recording.utt}.flac"


def preprocess_recording(
    recording: Recording, out: Path, journal: Journal | None = None, *, keep_silence: bool = False
) -> Outcome:
    """Preprocess one recording, and enter it into the journal of `out`, if one is given.

    Damaged audio is an outcome, not an error.

    Args:
        recording: as found in the corpus.
        out: folder of the prepared corpus.
        journal: of that folder; None to keep no record.
        keep_silence: whether the silence at the ends is kept.

    Raises:
        UserError: the disk is full or not writable.
    """
    inputs = read_state(_inputs(recording))
    try:
        audio = read_audio(recording.audio, recording.segment)
    except UserError as error:
        return Outcome(recording, skipped="damaged audio", problem=str(error))
    samples, offset = (audio.samples, 0) if keep_silence else trim_silence(audio.samples)
    if len(samples) < MIN_SECONDS * SAMPLE_RATE or not samples.any():
        reason = f"silent or shorter than {MIN_SECONDS} s"
        return Outcome(recording, skipped=reason, problem=f"{recording.audio}: {reason}; record it again")
    phones, problem = _phones(recording, offset, len(samples))
    text, lab, flac = (
        *(_label_path(out, kind, recording) for kind in ("txt", "lab")),
        audio_path(out, recording),
    )
    if recording.text:
        write_bytes(text, f"{recording.text}\n".encode())
    else:
        remove_file(text)  # of an earlier call
    if phones:
        write_lab(lab, phones)
    else:
        remove_file(lab)
    normalized, start = normalize_level(polarity(samples) * samples), offset / SAMPLE_RATE
    before = recording.segment.start if recording.segment else 0.0
    write_waveform(flac, normalized, comment=f"{_STARTS_AT}{before + start:.6f} s")
    write_tracks(flac)
    seconds, cut = len(samples) / SAMPLE_RATE, (len(audio.samples) - len(samples)) / SAMPLE_RATE
    outcome = Outcome(recording, seconds, start, round(cut, 3), audio.change(), problem=problem)
    if journal is not None:
        journal.add(
            _name(recording),
            inputs,
            [flac, tracks_path(flac)],
            editable=[path for path, given in ((text, recording.text), (lab, phones)) if given],
            settings=_settings(recording),
            details={name: getattr(outcome, name) for name in _DETAILS},
        )
    return outcome


class PreprocessingWork(Work[Recording, Outcome]):
    """Preprocesses recordings into a folder."""

    def __init__(self, out: Path, journal: Journal, *, keep_silence: bool) -> None:
        """
        Args:
            out: folder of the prepared corpus.
            journal: of that folder.
            keep_silence: whether the silence at the ends is kept.
        """
        self._out, self._journal, self._keep_silence = out, journal, keep_silence

    def start(self) -> Callable[[Recording], Outcome]:
        """`preprocess_recording` with these settings."""
        return partial(
            preprocess_recording, out=self._out, journal=self._journal, keep_silence=self._keep_silence
        )

    def lost(self, item: Recording, reason: str) -> Outcome:
        """A skipped recording."""
        return Outcome(item, skipped="damaged audio", problem=f"{item.audio}: {reason}")


def earlier_outcome(recording: Recording, finished: Finished) -> Outcome | None:
    """The outcome of an earlier call; None if there is none, or if the recording has changed."""
    entry = finished.find(_name(recording), _inputs(recording), settings=_settings(recording))
    if entry is None:
        return None
    try:
        return Outcome(recording, **{name: kind(entry.details[name]) for name, kind in _DETAILS.items()})
    except (LookupError, ValueError, TypeError):  # the journal was changed by hand
        return None


def _name(recording: Recording) -> str:
    return f"{recording.speaker}/{recording.utt}"


def _inputs(recording: Recording) -> list[Path]:
    """The files that the result depends on; the text is compared itself."""
    return [path for path in (recording.audio, recording.alignment) if path is not None]


def _settings(recording: Recording) -> str:
    settings: dict[str, Any] = {
        "text": recording.text, "alignment": recording.alignment is not None, "tracks": version(),
    }  # fmt: skip
    if recording.segment is not None:
        settings["segment"] = list(recording.segment)
    return settings_digest(settings)


def _label_path(out: Path, kind: str, recording: Recording) -> Path:
    return out / kind / recording.speaker / f"{recording.utt}.{kind}"


def _phones(recording: Recording, offset: int, samples: int) -> tuple[list[Interval], str]:
    """The alignment of the trimmed recording, and a problem if its file is damaged; the audio is kept."""
    if recording.alignment is None:
        return [], ""
    try:
        phones = read_alignment(recording.alignment)
    except UserError as error:
        return [], f"{error}; the alignment is skipped, the audio kept"
    return shift_intervals(phones, offset / SAMPLE_RATE, samples / SAMPLE_RATE), ""
