"""Forced alignment of recordings with their texts by PocketSphinx."""

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
from speechvq.audio.waveform import SAMPLE_RATE, native_path, read_waveform
from speechvq.errors import UserError
from speechvq.io.journal import Journal, read_state
from speechvq.io.reading import read_regular_text

# PocketSphinx places boundaries early, by about half of its window of 25.6 ms, because it labels a frame by
# its first sample. The mean over 9,671 exact boundaries of the built-in corpus (ten voices) is 11.2 ms; over
# two halves of the voices it is 10.9 and 11.6 ms.
BOUNDARY_BIAS = 0.011  # s
# The text of another sentence is squeezed into the recording. Of 24 recordings of VCTK and LibriSpeech, one
# is above this fraction with its own text. With the text of another one, the words of 12 cannot be aligned,
# and 7 of the other 12 are above.
SHORTEST_PHONE, MAX_SHORT_PHONES = 0.031, 0.25  # s, the least that the aligner gives; fraction of the phones
LOW_LEVEL = 0.3  # factor on the recording in the second attempt, relative to the dither noise


@dataclass(frozen=True)
class AlignmentTask:
    """A recording, its text, and the label file to write."""

    audio: Path
    text: Path
    lab: Path
    name: str = ""  # of the result in the journal
    settings: str = ""  # digest of the settings of this result alone
    may_be_kept: bool = False  # whether the label file is kept if it is whole


@dataclass(frozen=True)
class Outcome:
    """Result of aligning one recording."""

    seconds: float = 0.0
    attempt: str = ""  # "kept" (done before), "words", "softer", "wider" or "phones"; "" if all failed
    # Words not in the dictionary, and the guessed phones.
    unknown: dict[str, str] = field(default_factory=dict)
    problem: str = ""  # one line that names file and remedy
    is_doubtful: bool = False  # aligned, but the text may be that of another recording


def align_recording(
    task: AlignmentTask, dictionary: Mapping[str, str], journal: Journal | None = None
) -> Outcome:
    """Align one recording, or keep the result of an earlier call; a failure is an outcome, not an error.

    Args:
        task: recording, text and label file.
        dictionary: phones of words, separated by spaces; takes precedence over the dictionary of
            PocketSphinx.
        journal: of the folder of label files; None to keep no record.

    Raises:
        UserError: PocketSphinx is not installed, or the label file cannot be written.
    """
    if task.may_be_kept and (kept := _whole_intervals(task)):
        problem = _doubt(task, kept)
        return Outcome(kept[-1].end, "kept", problem=problem, is_doubtful=bool(problem))
    aligner = _aligner()
    inputs = read_state([task.audio, task.text])
    try:
        samples = read_waveform(task.audio)
        words = _words(task.text)
    except UserError as error:
        return Outcome(problem=str(error))
    seconds = len(samples) / SAMPLE_RATE
    names, phones, unknown = _read(words, dictionary, aligner)
    attempts = {
        "words": lambda: aligner.align(samples, names),
        "softer": lambda: aligner.align(samples, names, level=LOW_LEVEL),
        "wider": lambda: aligner.align(samples, names, wide=True),
        "phones": lambda: aligner.align_phones(samples, phones),
    }
    for attempt, align in attempts.items():
        if found := correct_bias(align(), seconds):
            write_lab(task.lab, found)
            if journal is not None:
                journal.add(task.name, inputs, [], editable=[task.lab], settings=task.settings)
            problem = _doubt(task, found)
            return Outcome(seconds, attempt, unknown, problem, is_doubtful=bool(problem))
    problem = f"{task.audio}: {task.text.name} could not be aligned; check that the text is its transcript"
    return Outcome(seconds, "", unknown, problem)


def _doubt(task: AlignmentTask, found: Sequence[Interval]) -> str:
    """A line if many phones are as short as can be, as those of another recording's text are; else empty."""
    fraction = short_phones(found)
    if fraction <= MAX_SHORT_PHONES:
        return ""
    return (
        f"{task.audio}: {100 * fraction:.0f} % of the phones are as short as the aligner allows; "
        f"check that {task.text.name} is its transcript"
    )


def short_phones(found: Sequence[Interval]) -> float:
    """Fraction of the phones that have the shortest duration that the aligner gives; 0 without phones."""
    durations = [each.end - each.start for each in found if each.phone != SILENCE]
    return sum(each <= SHORTEST_PHONE for each in durations) / max(len(durations), 1)


def correct_bias(found: Sequence[Interval], seconds: float) -> list[Interval]:
    """Intervals shifted by the aligner's bias and clipped to a recording of `seconds`.

    Adjacent silences are merged. Empty if a phone would lie outside the recording.
    """
    shifted: list[Interval] = []
    for each in found:
        start, end = (min(max(time + BOUNDARY_BIAS, 0.0), seconds) for time in (each.start, each.end))
        if each.phone != SILENCE and start >= end:
            return []
        if start >= end:
            continue
        if shifted and shifted[-1].phone == each.phone == SILENCE:
            start = shifted.pop().start
        shifted.append(Interval(start, end, each.phone))
    if all(each.phone == SILENCE for each in shifted):
        return []
    shifted[0] = Interval(0.0, shifted[0].end, shifted[0].phone)
    shifted[-1] = Interval(shifted[-1].start, seconds, shifted[-1].phone)
    return shifted


@cache
def _aligner() -> ForcedAligner:
    """The aligner of this process; it takes half a second to start."""
    return ForcedAligner()


def _words(path: Path) -> list[str]:
    try:
        words = normalize_text(read_regular_text(path))
    except UserError as error:
        raise UserError(f"{path}: {error}; write the words as they are spoken in English") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8; save it as UTF-8") from error
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); check its mode") from error
    if not words:
        raise UserError(f"{path}: has no words; write down what is said, or remove the file")
    return words


def _read(
    words: Sequence[str], dictionary: Mapping[str, str], aligner: ForcedAligner
) -> tuple[list[str], list[str], dict[str, str]]:
    """Names of the words in the aligner's dictionary, their phones, and the unknown words with guessed
    phones.
    """
    names, phones, unknown = [], [], {}
    for word in words:
        name, known = word, dictionary.get(word)
        if known is None and (known := aligner.pronunciation(word)) is None:
            unknown[word] = known = pronounce(word, aligner.pronunciation)
        # Named by its phones, so that a pronunciation does not depend on what was aligned before.
        if word in dictionary or word in unknown:
            name = f"{word}_{known.replace(' ', '_').lower()}"
            if aligner.pronunciation(name) is None:
                aligner.add_word(name, known)
        names.append(name)
        phones += known.split()
    return names, phones, unknown


def is_newer(task: AlignmentTask) -> bool:
    """Whether the label file exists and is newer than recording and text."""
    try:
        return task.lab.stat().st_mtime >= max(task.audio.stat().st_mtime, task.text.stat().st_mtime)
    except OSError:
        return False


def _whole_intervals(task: AlignmentTask) -> list[Interval]:
    """Intervals of the label file if it exists and reaches to the recording's end; else none."""
    try:
        info, intervals = soundfile.info(native_path(task.audio)), read_lab(task.lab)
    except (OSError, RuntimeError, UserError):
        return []
    seconds = info.frames / info.samplerate
    whole = intervals and abs(intervals[-1].end - seconds) < 0.001  # resampling may round by a sample
    return list(intervals) if whole else []


def pronunciations_of(path: Path, dictionary: Mapping[str, str]) -> dict[str, str]:
    """The entries of a dictionary that the words of a text file use; none for an unreadable text."""
    if not dictionary:
        return {}
    try:
        return {word: dictionary[word] for word in sorted(_words(path)) if word in dictionary}
    except UserError:
        return {}
