"""The phones of a recording whose words are known, put where they sound: PocketSphinx, and what it needs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import soundfile

from speechvq.alignment.g2p import pronounce
from speechvq.alignment.intervals import Interval, read_lab, write_lab
from speechvq.alignment.phones import SILENCE
from speechvq.alignment.pocketsphinx import ForcedAligner
from speechvq.alignment.text_normalization import normalize_text
from speechvq.audio.waveform import SAMPLE_RATE, read_waveform
from speechvq.errors import UserError

# PocketSphinx begins phones early, by about half of its window of 25.6 ms: it names a frame by its first
# sample. 11.2 ms is the mean over 9,671 exact boundaries of the built-in corpus, ten voices; of one half of
# the voices it is 10.9, of the other 11.6.
BOUNDARY_BIAS = 0.011  # s
LOW_LEVEL = 0.3  # the level of the second attempt, nearer to the hiss


@dataclass(frozen=True)
class AlignmentTask:
    """A recording, what is said in it, and where its alignment goes."""

    audio: Path
    text: Path
    lab: Path


@dataclass(frozen=True)
class Outcome:
    """What became of one recording."""

    seconds: float = 0.0
    attempt: str = ""  # "kept" from before, "words", "softer", "wider" or "phones"; "" where all failed
    unknown: dict[str, str] = field(default_factory=dict)  # words of no dictionary, and how they were read
    complaint: str = ""  # names file and remedy


def align_recording(task: AlignmentTask, dictionary: Mapping[str, str]) -> Outcome:
    """Align one recording, or keep what an earlier call completed; a failure is an outcome, not an error.

    Args:
        spoken: the recording.
        dictionary: words and their phones, with blanks between, in place of PocketSphinx's or beside them.

    Raises:
        UserError: PocketSphinx is missing, or the disk refuses.
    """
    if seconds := _kept(task):
        return Outcome(seconds, "kept")
    aligner = _aligner()
    try:
        samples = read_waveform(task.audio)
        said = _words(task.text)
    except UserError as error:
        return Outcome(complaint=str(error))
    seconds = len(samples) / SAMPLE_RATE
    names, phones, unknown = _read(said, dictionary, aligner)
    attempts = {
        "words": lambda: aligner.align(samples, names),
        "softer": lambda: aligner.align(samples, names, level=LOW_LEVEL),
        "wider": lambda: aligner.align(samples, names, wide=True),
        "phones": lambda: aligner.align_phones(samples, phones),
    }
    for attempt, align in attempts.items():
        if found := correct_bias(align(), seconds):
            write_lab(task.lab, found)
            return Outcome(seconds, attempt, unknown)
    complaint = f"{task.audio}: {task.text.name} was not found in it; listen whether it says the same"
    return Outcome(seconds, "", unknown, complaint)


def correct_bias(found: Sequence[Interval], seconds: float) -> list[Interval]:
    """An aligner's intervals moved by its bias and laid into a sound of `seconds`: from 0 to its end.

    Silences side by side become one. None where a phone is left outside the sound.
    """
    laid: list[Interval] = []
    for each in found:
        start, end = (min(max(time + BOUNDARY_BIAS, 0.0), seconds) for time in (each.start, each.end))
        if each.phone != SILENCE and start >= end:
            return []
        if start >= end:
            continue
        if laid and laid[-1].phone == each.phone == SILENCE:
            start = laid.pop().start
        laid.append(Interval(start, end, each.phone))
    if all(each.phone == SILENCE for each in laid):
        return []
    laid[0] = Interval(0.0, laid[0].end, laid[0].phone)
    laid[-1] = Interval(laid[-1].start, seconds, laid[-1].phone)
    return laid


@cache
def _aligner() -> ForcedAligner:
    """One a process: it takes half a second to start."""
    return ForcedAligner()


def _words(path: Path) -> list[str]:
    try:
        said = normalize_text(path.read_text(encoding="utf-8-sig"))
    except UserError as error:
        raise UserError(f"{path}: {error}; write the words as they are spoken in English") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its mode") from error
    if not said:
        raise UserError(f"{path}: no words in it; write down what is said, or remove the file")
    return said


def _read(
    said: Sequence[str], dictionary: Mapping[str, str], aligner: ForcedAligner
) -> tuple[list[str], list[str], dict[str, str]]:
    """Of the words: the names under which the aligner knows them, their phones, and the unknown ones."""
    names, phones, unknown = [], [], {}
    for word in said:
        name, known = word, dictionary.get(word)
        if known is None and (known := aligner.pronunciation(word)) is None:
            unknown[word] = known = pronounce(word, aligner.pronunciation)
        # A name of its own, so that a pronunciation is the same whatever was aligned before.
        if word in dictionary or word in unknown:
            name = f"{word}_{known.replace(' ', '_').lower()}"
            if aligner.pronunciation(name) is None:
                aligner.add_word(name, known)
        names.append(name)
        phones += known.split()
    return names, phones, unknown


def _kept(spoken: AlignmentTask) -> float:
    """Seconds of the sound whose alignment is there, whole, and newer than sound and text; 0 otherwise."""
    try:
        made = spoken.lab.stat().st_mtime
        if made < max(spoken.audio.stat().st_mtime, spoken.text.stat().st_mtime):
            return 0.0
        info, intervals = soundfile.info(spoken.audio), read_lab(spoken.lab)
    except (OSError, RuntimeError, UserError):
        return 0.0
    seconds = info.frames / info.samplerate
    whole = intervals and abs(intervals[-1].end - seconds) < 0.001  # resampling may round by a sample
    return seconds if whole else 0.0
