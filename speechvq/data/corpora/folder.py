"""Your own corpus: one folder of audio files per speaker.

    ROOT/SPEAKER/UTT.wav               or ROOT/audio/SPEAKER/UTT.wav; also .flac .ogg .opus .mp3 .aiff .au ...
    ROOT/SPEAKER/VIDEO/UTT.wav         folders within that of a speaker, at any depth
    ROOT/txt/SPEAKER/UTT.txt           or UTT.txt beside the audio; optional
    ROOT/lab/SPEAKER/UTT.lab           or UTT.lab beside the audio; optional; also .TextGrid and .PHN

A .lab file has lines `start end phone`, with times in units of 100 ns; without times it is the text, as for
MFA. The file name is the utterance's name. If several files have one name, it is SPEAKER_UTT, or
SPEAKER_VIDEO_UTT. Text and labels of a file in an inner folder are in an inner folder of the same name.
"""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from speechvq.alignment.intervals import is_transcript
from speechvq.audio.formats import AUDIO_SUFFIXES, UNREAD_SUFFIXES, describe_unread, split_unread
from speechvq.data.corpora.recording import CorpusListing, Recording, read_text, visible_entries
from speechvq.errors import UserError
from speechvq.io.folders import files_below
from speechvq.io.names import is_file_name
from speechvq.io.utterance_files import relative_name
from speechvq.runtime.logging import logger

_TEXT, _LABELS = ".txt", (".lab", ".textgrid", ".phn")
# Names of folders that hold speakers' folders more often than they are a speaker's.
_UNLIKELY_SPEAKERS = "train dev test valid val eval wav wavs flac clips data audio".split()


def recordings(root: str | Path, *, out: Path | None = None) -> CorpusListing:
    """Find the recordings of a folder of speakers.

    Args:
        root: see above.
        out: folder of the results; left out of the search.

    Raises:
        UserError: `root` is missing, or no speaker's folder in it contains an audio file.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --root contains one folder per speaker")
    base = root / "audio" if (root / "audio").is_dir() else root
    skipped: Counter[str] = Counter()
    files = _audio_files(base, out, skipped)
    if not files:
        unread = next((reason for reason in skipped if "not read" in reason), "")
        raise UserError(
            f"{base}: no audio files such as SPEAKER/UTT.wav; --root contains one folder per speaker"
            + (f"; {unread}" if unread else "")
        )
    _warn_of_levels(base, files)
    texts = _beside_audio(root / "txt", base, [_TEXT])
    labels = _beside_audio(root / "lab", base, _LABELS)
    count = Counter(name.rpartition("/")[2] for name in files)
    found = []
    for name, file in files.items():
        utt = name.rpartition("/")[2]
        utt = utt if count[utt] == 1 else name.replace("/", "_")
        if is_file_name(utt):
            found.append(_recording(utt, name, file, texts, labels))
        else:
            skipped[_BAD_NAME] += 1
    return CorpusListing(_unique(found, skipped), skipped)


_BAD_NAME = "name that is too long or not UTF-8, or contains a control character or backslash"


def _audio_files(base: Path, out: Path | None, skipped: Counter[str]) -> dict[str, Path]:
    """One audio file per utterance and speaker by SPEAKER/UTT, in order; counts skipped files."""
    results = out.resolve() if out and out.resolve().is_relative_to(base.resolve()) else None
    files: dict[str, Path] = {}
    unread: list[Path] = []
    for entry in visible_entries(base):
        if not entry.is_dir():
            skipped["audio outside a speaker's folder"] += entry.suffix.lower() in AUDIO_SUFFIXES
            continue
        if results and entry.resolve().is_relative_to(results):
            continue
        readable, others = split_unread(files_below(entry, AUDIO_SUFFIXES | UNREAD_SUFFIXES))
        unread += others
        for file in readable:
            name = relative_name(file, base)
            if file.is_dir() or (results and file.resolve().is_relative_to(results)):
                continue
            if not all(map(is_file_name, name.split("/"))):
                skipped[_BAD_NAME] += 1
            elif files.setdefault(name, file) is not file:
                skipped["second format of the same utterance"] += 1
    if unread:
        skipped[describe_unread(unread).partition(" files of a ")[2]] += len(unread)
    skipped += Counter()  # drops reasons with a count of zero
    return files


def _warn_of_levels(base: Path, files: dict[str, Path]) -> None:
    """Warn of a folder that is taken for a speaker, although speakers' folders may be in it."""
    for speaker in sorted({name.partition("/")[0] for name in files if name.count("/") > 1}):
        if speaker.lower() in _UNLIKELY_SPEAKERS:
            logger.warning(
                "%s: taken as one speaker; if it contains the speakers' folders, give it as --root",
                base / speaker,
            )


def _beside_audio(folder: Path, base: Path, endings: Sequence[str]) -> dict[str, list[Path]]:
    """Files by SPEAKER/UTT: those below a folder of their own first, then those among the audio."""
    found: dict[str, list[Path]] = {}
    for root in (folder, base):
        if root.is_dir():
            for path in files_below(root, endings):
                found.setdefault(relative_name(path, root), []).append(path)
    for paths in found.values():
        paths.sort(key=lambda path: (not path.is_relative_to(folder), endings.index(path.suffix.lower())))
    return found


def _recording(
    utt: str, name: str, file: Path, texts: dict[str, list[Path]], labels: dict[str, list[Path]]
) -> Recording:
    """The recording of a file; `name` is SPEAKER/UTT of its text and labels."""
    text = next((words for path in texts.get(name, []) if (words := read_text(path))), None)
    alignment = next((path for path in labels.get(name, []) if path.is_file()), None)
    if alignment and is_transcript(alignment):
        text, alignment = text or read_text(alignment), None
    return Recording(utt, name.partition("/")[0], file, text, alignment)


def _unique(found: list[Recording], skipped: Counter[str]) -> list[Recording]:
    """Joined names can still collide (a + b_c, a_b + c); the later recording is skipped."""
    unique: dict[str, Recording] = {}
    for recording in found:
        if unique.setdefault(recording.utt, recording) is not recording:
            skipped["name taken by another utterance"] += 1
    return list(unique.values())
