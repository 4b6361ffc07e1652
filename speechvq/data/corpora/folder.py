"""Any corpus of one's own: a folder a speaker, sounds in it.

    ROOT/SPEAKER/UTT.wav               or ROOT/audio/SPEAKER/UTT.wav; also .flac .ogg .opus .mp3
    ROOT/txt/SPEAKER/UTT.txt           or UTT.txt beside the sound; optional
    ROOT/lab/SPEAKER/UTT.lab           or UTT.lab beside the sound; optional, `start end phone` in units of
    100 ns

An utterance is called by its file; where two speakers have files of the same name, by speaker and file.
"""

from collections import Counter
from pathlib import Path

from speechvq.data.corpora.recording import SOUND_SUFFIXES, Found, Recording, read_text, visible
from speechvq.data.manifest import is_file_name
from speechvq.errors import UserError


def recordings(root: str | Path) -> Found:
    """Find the recordings of a folder of speakers.

    Raises:
        UserError: `root` is missing, or no speaker folder in it holds a sound.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --root is the folder that holds a folder for each speaker")
    base = root / "audio" if (root / "audio").is_dir() else root
    skipped: Counter[str] = Counter()
    sounds = _sounds(base, skipped)
    if not sounds:
        raise UserError(
            f"{base}: no sounds such as SPEAKER/UTT.wav in it; --root holds a folder for each speaker"
        )
    shared = {name for name, count in Counter(sound.stem for sound in sounds).items() if count > 1}
    found = [_recording(root, sound, shared) for sound in sounds]
    return Found(_unique(found, skipped), skipped)


def _sounds(base: Path, skipped: Counter[str]) -> list[Path]:
    """One sound an utterance and speaker, in order; what is left out is counted."""
    sounds: dict[tuple[str, str], Path] = {}
    for entry in visible(base):
        if not entry.is_dir():
            skipped["sound outside a speaker's folder"] += _is_sound(entry)
            continue
        for file in filter(_is_sound, visible(entry)):
            if not (is_file_name(file.stem) and is_file_name(entry.name)):
                skipped["name that is not UTF-8 text or holds a tab or backslash"] += 1
            elif sounds.setdefault((entry.name, file.stem), file) is not file:
                skipped["second format of the same utterance"] += 1
    skipped += Counter()  # drops the reasons counted zero times
    return list(sounds.values())


def _is_sound(file: Path) -> bool:
    return file.suffix.lower() in SOUND_SUFFIXES


def _recording(root: Path, sound: Path, shared: set[str]) -> Recording:
    speaker, name = sound.parent.name, sound.stem
    text = read_text(root / "txt" / speaker / f"{name}.txt") or read_text(sound.with_suffix(".txt"))
    labels = [root / "lab" / speaker / f"{name}.lab", sound.with_suffix(".lab")]
    alignment = next((path for path in labels if path.is_file()), None)
    return Recording(f"{speaker}_{name}" if name in shared else name, speaker, sound, text, alignment)


def _unique(found: list[Recording], skipped: Counter[str]) -> list[Recording]:
    """Joining speaker and file can still collide (a + b_c, a_b + c); the later one goes."""
    unique: dict[str, Recording] = {}
    for recording in found:
        if unique.setdefault(recording.utt, recording) is not recording:
            skipped["name taken by another utterance"] += 1
    return list(unique.values())
