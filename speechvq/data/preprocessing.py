"""Preprocessing of one recording: 16 kHz, silence trimmed at the ends, normalized level, shifted labels.

What is cut at the beginning is kept in the header of the FLAC file and in the manifest, so that alignments of
the original recording can be shifted.

`preparation` applies it to every recording of a corpus and writes the manifest.
"""

from dataclasses import dataclass
from pathlib import Path

import soundfile

from speechvq.alignment.directory import read_alignment
from speechvq.alignment.intervals import Interval, shift_intervals, write_lab
from speechvq.audio.linear_prediction import polarity
from speechvq.audio.waveform import (
    SAMPLE_RATE,
    describe_change,
    normalize_level,
    read_audio,
    trim_silence,
    write_waveform,
)
from speechvq.data.corpora.recording import Recording
from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.runtime.decoder_messages import collected_messages

_STARTS_AT = "starts in the original recording at "  # of the comment in the FLAC file, before the seconds
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


def preprocess_recording(recording: Recording, out: Path, *, keep_silence: bool = False) -> Outcome:
    """Preprocess one recording, or keep the result of an earlier call.

    Damaged audio is an outcome, not an error. The FLAC file is written last, after text and labels: if it
    exists, the utterance is complete.

    Args:
        recording: as found in the corpus.
        out: folder of the prepared corpus.
        keep_silence: whether the silence at the ends is kept.

    Raises:
        UserError: the disk is full or not writable.
    """
    if earlier := _earlier_outcome(recording, out):
        return earlier
    try:
        audio = read_audio(recording.audio)
    except UserError as error:
        return Outcome(recording, skipped="damaged audio", problem=str(error))
    samples, offset = (audio.samples, 0) if keep_silence else trim_silence(audio.samples)
    if len(samples) < MIN_SECONDS * SAMPLE_RATE or not samples.any():
        reason = f"silent or shorter than {MIN_SECONDS} s"
        return Outcome(recording, skipped=reason, problem=f"{recording.audio}: {reason}; record it again")
    phones, problem = _phones(recording, offset, len(samples))
    if recording.text:
        write_bytes(_label_path(out, "txt", recording), f"{recording.text}\n".encode())
    if phones:
        write_lab(_label_path(out, "lab", recording), phones)
    normalized, start = normalize_level(polarity(samples) * samples), offset / SAMPLE_RATE
    write_waveform(audio_path(out, recording), normalized, comment=f"{_STARTS_AT}{start:.6f} s")
    seconds, cut = len(samples) / SAMPLE_RATE, (len(audio.samples) - len(samples)) / SAMPLE_RATE
    return Outcome(recording, seconds, start, round(cut, 3), audio.change(), problem=problem)


def _label_path(out: Path, kind: str, recording: Recording) -> Path:
    return out / kind / recording.speaker / f"{recording.utt}.{kind}"


def _earlier_outcome(recording: Recording, out: Path) -> Outcome | None:
    """The outcome of an earlier call, if it is complete and newer than the recording."""
    made = audio_path(out, recording)
    required = [kind for kind, given in (("txt", recording.text), ("lab", recording.alignment)) if given]
    try:
        if made.stat().st_mtime < recording.audio.stat().st_mtime:
            return None
        if not all(_label_path(out, kind, recording).is_file() for kind in required):
            return None
        with soundfile.SoundFile(made) as file:
            seconds, start = file.frames / SAMPLE_RATE, _start_of(file.comment)
        with collected_messages(recording.audio):
            source = soundfile.info(recording.audio)
    except (OSError, RuntimeError):  # missing, or damaged by a power cut: made again
        return None
    if start is None:  # made by a version that did not keep it
        return None
    change = describe_change(source.samplerate, source.channels)
    return Outcome(recording, seconds, start, max(round(source.duration - seconds, 3), 0.0), change)


def _start_of(comment: str) -> float | None:
    """Seconds cut at the beginning, by the comment of a prepared file."""
    try:
        return float(comment.removeprefix(_STARTS_AT).removesuffix(" s"))
    except ValueError:
        return None


def _phones(recording: Recording, offset: int, samples: int) -> tuple[list[Interval], str]:
    """The alignment of the trimmed recording, and a problem if its file is damaged; the audio is kept."""
    if recording.alignment is None:
        return [], ""
    try:
        phones = read_alignment(recording.alignment)
    except UserError as error:
        return [], f"{error}; the alignment is skipped, the audio kept"
    return shift_intervals(phones, offset / SAMPLE_RATE, samples / SAMPLE_RATE), ""
