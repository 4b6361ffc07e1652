"""The result of every corpus module: recordings, and counts of skipped files."""

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from speechvq.audio.waveform import Segment
from speechvq.io.reading import read_regular_text


@dataclass(frozen=True)
class Recording:
    """One utterance of a corpus, as published."""

    utt: str  # unique in the corpus
    speaker: str
    audio: Path
    text: str | None = None
    alignment: Path | None = None  # see `alignment.directory.read_alignment`
    segment: Segment | None = None  # the part of the audio file; None for all of it


@dataclass(frozen=True)
class CorpusListing:
    """All recordings of a corpus, and the number of skipped files by reason."""

    recordings: list[Recording]
    skipped: Counter[str] = field(default_factory=Counter)

    def without_text(self) -> int:
        """Number of recordings without a transcript. They are kept: codes are learned from audio alone."""
        return sum(recording.text is None for recording in self.recordings)


def read_text(path: Path) -> str | None:
    """The words of a text file on one line, or None if the file is missing or empty.

    Bytes that are not UTF-8 become replacement characters: a wrong letter must not exclude the recording.
    """
    try:
        words = read_regular_text(path, errors="replace").split()
    except OSError:
        return None
    return " ".join(words) or None


def visible_entries(folder: Path) -> list[Path]:
    """Entries of a folder, sorted, without hidden files such as macOS's `._*`; [] if it is missing."""
    if not folder.is_dir():
        return []
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
