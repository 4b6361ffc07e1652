"""One recording as training reads it: edge silence cut, level made equal, 16 kHz, its labels moved along."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import soundfile

from speechvq.alignment.intervals import Interval, read_lab, write_lab
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

SHORTEST_SECONDS = 0.1  # what is shorter holds no word


@dataclass(frozen=True)
class Outcome:
    """What became of one recording."""

    recording: Recording
    seconds: float = 0.0
    change: str = ""  # see Sound.change
    skipped: str = ""  # the reason, when it was left out
    complaint: str = ""  # the line that names file and remedy, also where only an alignment was left out


def sound_path(out: Path, recording: Recording) -> Path:
    """Where a recording's prepared sound lies below `out`."""
    return out / "audio" / recording.speaker / f"{recording.utt}.flac"


def condition(recording: Recording, out: Path) -> Outcome:
    """Prepare one recording, or keep what an earlier call completed; a bad sound is an outcome, not an error.

    The FLAC file is renamed into place after its text and labels: where it is, the utterance is complete.

    Raises:
        UserError: the disk refuses; that will not be better for the next recording.
    """
    if kept := _kept(recording, out):
        return kept
    try:
        sound = read_audio(recording.audio)
    except UserError as error:
        return Outcome(recording, skipped="damaged sound", complaint=str(error))
    samples, offset = trim_silence(sound.samples)
    if len(samples) < SHORTEST_SECONDS * SAMPLE_RATE or not samples.any():
        reason = f"silent or shorter than {SHORTEST_SECONDS} s"
        return Outcome(recording, skipped=reason, complaint=f"{recording.audio}: {reason}; record it again")
    phones, complaint = _phones(recording, offset, len(samples))
    if recording.text:
        write_bytes(_beside(out, "txt", recording), f"{recording.text}\n".encode())
    if phones:
        write_lab(_beside(out, "lab", recording), phones)
    write_waveform(sound_path(out, recording), normalize_level(polarity(samples) * samples))
    return Outcome(recording, len(samples) / SAMPLE_RATE, sound.change(), complaint=complaint)


def shifted(intervals: Iterable[Interval], offset: float, seconds: float) -> list[Interval]:
    """The intervals after `offset` seconds were cut from the front of a sound that now lasts `seconds`.

    What reaches over an end is clipped; what lies outside goes.
    """
    moved = (
        Interval(max(each.start - offset, 0.0), min(each.end - offset, seconds), each.phone)
        for each in intervals
    )
    return [each for each in moved if each.start < each.end]


def _beside(out: Path, kind: str, recording: Recording) -> Path:
    return out / kind / recording.speaker / f"{recording.utt}.{kind}"


def _kept(recording: Recording, out: Path) -> Outcome | None:
    """The outcome of an earlier call, if it is complete and not older than its source."""
    made = sound_path(out, recording)
    wanted = [kind for kind, given in (("txt", recording.text), ("lab", recording.alignment)) if given]
    try:
        if made.stat().st_mtime < recording.audio.stat().st_mtime:
            return None
        if not all(_beside(out, kind, recording).is_file() for kind in wanted):
            return None
        frames, source = soundfile.info(made).frames, soundfile.info(recording.audio)
    except (OSError, RuntimeError):  # not there, or spoilt by a power cut: made again
        return None
    return Outcome(recording, frames / SAMPLE_RATE, describe_change(source.samplerate, source.channels))


def _phones(recording: Recording, offset: int, samples: int) -> tuple[list[Interval], str]:
    """The alignment of the trimmed sound, and a complaint where the file is of no use; the sound stays."""
    if recording.alignment is None:
        return [], ""
    try:
        phones = read_lab(recording.alignment)
    except UserError as error:
        return [], f"{error}; the alignment is left out, the sound kept"
    return shifted(phones, offset / SAMPLE_RATE, samples / SAMPLE_RATE), ""
