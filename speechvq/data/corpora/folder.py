"""Your own corpus: one folder of audio files per speaker.

    ROOT/SPEAKER/UTT.wav               or ROOT/audio/SPEAKER/UTT.wav; also .flac .ogg .opus .mp3
    ROOT/txt/SPEAKER/UTT.txt           or UTT.txt beside the audio; optional
    ROOT/lab/SPEAKER/UTT.lab           or UTT.lab beside the audio; optional; also .TextGrid and .PHN

A .lab file has lines `start end phone`, with times in units of 100 ns; without times it is the text, as for
MFA. The file name is the utterance's name.
If two speakers have files of the same name, it is SPEAKER_UTT.
"""

from collections import Counter
from pathlib import Path

from speechvq.alignment.intervals import is_transcript
from speechvq.data.corpora.recording import (
    AUDIO_SUFFIXES,
    CorpusListing,
    Recording,
    read_text,
    visible_entries,
)
from speechvq.errors import UserError
from speechvq.io.names import is_file_name


def recordings(root: str | Path) -> CorpusListing:
    """Find the recordings of a folder of speakers.

    Raises:
        UserError: `root` is missing, or no speaker's folder in it contains an audio file.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --root contains one folder per speaker")
    base = root / "audio" if (root / "audio").is_dir() else root
    skipped: Counter[str] = Counter()
    files = _audio_files(base, skipped)
    if not files:
        raise UserError(
            f"{base}: no audio files such as SPEAKER/UTT.wav; --root contains one folder per speaker"
        )
    shared = {name for name, count in Counter(file.stem for file in files).items() if count > 1}
    found = [_recording(root, file, shared) for file in files]
    return CorpusListing(_unique(found, skipped), skipped)


def _audio_files(base: Path, skipped: Counter[str]) -> list[Path]:
    """One audio file per utterance and speaker, in order; counts skipped files."""
    files: dict[tuple[str, str], Path] = {}
    for entry in visible_entries(base):
        if not entry.is_dir():
            skipped["audio outside a speaker's folder"] += _is_audio(entry)
            continue
        for file in filter(_is_audio, visible_entries(entry)):
            if not (is_file_name(file.stem) and is_file_name(entry.name)):
                skipped["name that is not UTF-8 or contains a tab or backslash"] += 1
            elif files.setdefault((entry.name, file.stem), file) is not file:
                skipped["second format of the same utterance"] += 1
    skipped += Counter()  # drops reasons with a count of zero
    return list(files.values())


def _is_audio(file: Path) -> bool:
    return file.suffix.lower() in AUDIO_SUFFIXES


def _recording(root: Path, file: Path, shared: set[str]) -> Recording:
    speaker, name = file.parent.name, file.stem
    text = read_text(root / "txt" / speaker / f"{name}.txt") or read_text(file.with_suffix(".txt"))
    alignment = _alignment(root / "lab" / speaker, name) or _alignment(file.parent, name)
    if alignment and is_transcript(alignment):
        text, alignment = text or read_text(alignment), None
    return Recording(f"{speaker}_{name}" if name in shared else name, speaker, file, text, alignment)


def _alignment(folder: Path, name: str) -> Path | None:
    """The alignment of an utterance in a folder; None if there is none."""
    for ending in (".lab", ".TextGrid", ".textgrid", ".PHN", ".phn"):
        if (path := folder / f"{name}{ending}").is_file():
            return path
    return None


def _unique(found: list[Recording], skipped: Counter[str]) -> list[Recording]:
    """Joined names can still collide (a + b_c, a_b + c); the later recording is skipped."""
    unique: dict[str, Recording] = {}
    for recording in found:
        if unique.setdefault(recording.utt, recording) is not recording:
            skipped["name taken by another utterance"] += 1
    return list(unique.values())
