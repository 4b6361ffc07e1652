"""What every corpus module finds: recordings, and what it had to leave out."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

SOUND_SUFFIXES = frozenset({".wav", ".flac", ".ogg", ".opus", ".mp3"})


@dataclass(frozen=True)
class Recording:
    """One sound file of a corpus, before anything is done to it."""

    utt: str  # unique in the corpus
    speaker: str
    audio: Path
    text: str | None = None
    alignment: Path | None = None  # a .lab file: `start end phone`, units of 100 ns


@dataclass(frozen=True)
class Found:
    """All recordings of a corpus, and how many things were left out, by reason."""

    recordings: list[Recording]
    skipped: Counter[str] = field(default_factory=Counter)

    def without_text(self) -> int:
        """How many recordings have no text; they are kept, since codes are learnt from sound alone."""
        return sum(recording.text is None for recording in self.recordings)


def read_text(path: Path) -> str | None:
    """The words of a text file on one line, or None where there is no such file or nothing in it.

    Bytes that are not UTF-8 become replacement characters: a wrong letter must not cost the sound.
    """
    try:
        words = path.read_text(encoding="utf-8-sig", errors="replace").split()
    except OSError:
        return None
    return " ".join(words) or None


def visible(folder: Path) -> list[Path]:
    """What lies in a folder, sorted, without hidden files such as macOS's `._` companions; [] if missing."""
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
