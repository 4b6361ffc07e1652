"""LibriSpeech, read books, 16 kHz: SPEAKER/CHAPTER/SPEAKER-CHAPTER-NNNN.flac and SPEAKER-CHAPTER.trans.txt.

A transcript has one line per utterance, `SPEAKER-CHAPTER-NNNN THE WORDS`, in capitals without punctuation.
The subsets (train-clean-100, dev-clean, ...) have no speaker in common. All subsets are read together and
split again, because the official dev and test sets have speakers that are not in the decoder's speaker table.
"""

import re
from collections import Counter
from pathlib import Path

from speechvq.data.corpora.recording import CorpusListing, Recording, visible_entries
from speechvq.errors import UserError
from speechvq.io.archive import extract
from speechvq.io.download import RemoteFile, fetch

DEFAULT_SUBSET = "train-clean-100"
SHA256 = {  # as shipped in torchaudio 2.11, torchaudio/datasets/librispeech.py
    "dev-clean": "76f87d090650617fca0cac8f88b9416e0ebf80350acb97b343a85fa903728ab3",
    "dev-other": "12661c48e8c3fe1de2c1caa4c3e135193bfb1811584f11f569dd12645aa84365",
    "test-clean": "39fde525e59672dc6d1551919b1478f724438a95aa55f874b576be21967e6c23",
    "test-other": "d09c181bba5cf717b3dee7d4d592af11a3ee3a09e08ae025c5506f6ebe961c29",
    "train-clean-100": "d4ddd1d5a6ab303066f14971d768ee43278a5f2a0aa43dc716b0e64ecbbbf6e2",
    "train-clean-360": "146a56496217e96c14334a160df97fffedd6e0a04e66b9c5af0d40be3c792ecf",
    "train-other-500": "ddb22f27f96ec163645d53215559df6aa36515f26e01dd70798188350adcb6d2",
}
SOURCES = {
    subset: RemoteFile(f"https://www.openslr.org/resources/12/{subset}.tar.gz", sha256)
    for subset, sha256 in SHA256.items()
}

_NAME = re.compile(r"(\d+)-(\d+)-(\d+)\.flac")


def recordings(root: str | Path) -> CorpusListing:
    """Find the recordings of all subsets in a folder.

    Args:
        root: LibriSpeech/, the folder that contains it, or one subset such as LibriSpeech/dev-clean.

    Raises:
        UserError: no subset there.
    """
    skipped: Counter[str] = Counter()
    found: dict[str, Recording] = {}
    for chapter in _chapters(Path(root)):
        for recording in _of_chapter(chapter, skipped):
            if found.setdefault(recording.utt, recording) is not recording:
                skipped["utterance of another subset"] += 1
    if not found:
        raise UserError(
            f"{root}: no SPEAKER/CHAPTER/*.flac in it; --root is LibriSpeech/ or a subset, unpacked"
        )
    return CorpusListing(list(found.values()), skipped)


def download(folder: Path, subset: str = DEFAULT_SUBSET, sources: dict[str, RemoteFile] = SOURCES) -> None:
    """Download a subset and unpack it to FOLDER/LibriSpeech/SUBSET, unless that is done already.

    The archive is removed after unpacking.

    Raises:
        UserError: an unknown subset, no connection, a damaged or altered archive, a full disk.
    """
    if subset not in sources:
        raise UserError(f"--download {subset}: no such subset of LibriSpeech; there are {', '.join(sources)}")
    marker = folder / f".{subset}.unpacked"
    if marker.exists():
        return
    archive = fetch(sources[subset], folder)
    extract(archive, folder)
    marker.touch()
    archive.unlink()


def _chapters(root: Path) -> list[Path]:
    if not root.is_dir():
        raise UserError(
            f"{root}: no such folder; --root is LibriSpeech/ or a subset of it, or add --download"
        )
    base = root / "LibriSpeech" if (root / "LibriSpeech").is_dir() else root
    subsets = [base, *(entry for entry in visible_entries(base) if entry.is_dir())]
    return [
        chapter
        for subset in subsets
        for speaker in visible_entries(subset)
        if speaker.name.isdecimal()
        for chapter in visible_entries(speaker)
        if chapter.name.isdecimal() and chapter.is_dir()
    ]


def _of_chapter(chapter: Path, skipped: Counter[str]) -> list[Recording]:
    speaker = chapter.parent.name
    words = _transcript(chapter / f"{speaker}-{chapter.name}.trans.txt")
    found = []
    for file in visible_entries(chapter):
        if (named := _NAME.fullmatch(file.name)) and named[1] == speaker:
            found.append(Recording(file.stem, speaker, file, words.pop(file.stem, None)))
        elif file.suffix != ".txt":
            skipped["name does not match the corpus"] += 1
    if words:
        skipped["transcript without audio"] += len(words)
    return found


def _transcript(path: Path) -> dict[str, str]:
    """Words of each utterance; empty without a transcript, which is optional."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").split("\n")
    except OSError:
        return {}
    return {fields[0]: fields[1].strip() for line in lines if len(fields := line.split(maxsplit=1)) == 2}
