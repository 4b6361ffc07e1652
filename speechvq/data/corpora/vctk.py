"""CSTR VCTK, releases 0.80 and 0.92: 109 speakers of English, about 400 sentences each, 44 hours, 48 kHz.

    0.80    wav48/p225/p225_001.wav                          txt/p225/p225_001.txt
    0.92    wav48_silence_trimmed/p225/p225_001_mic1.flac    txt/p225/p225_001.txt    (_mic2; a speaker s5)

Gaps are counted and never stop the preparation:
    p315 has no transcripts: kept, since codes are learned from audio alone.
    p280 and p315 have no second microphone, p362 lacks single files: skipped where the audio is missing.
    p376 has a file in 0.80 with an unusual name, p376_295.raw: skipped.
"""

import re
from collections import Counter
from pathlib import Path

from speechvq.data.corpora.recording import CorpusListing, Recording, read_text, visible_entries
from speechvq.errors import UserError
from speechvq.io.archive import extract
from speechvq.io.download import RemoteFile, check_sha256, fetch

# The data set's page offers one outer archive without a published checksum. The checksum and the
# 11,747,302,977 bytes that torchaudio gives are those of the archive inside it, which is checked.
OUTER = RemoteFile("https://datashare.ed.ac.uk/download/DS_10283_3443.zip")
INNER_NAME = "VCTK-Corpus-0.92.zip"
INNER_SHA256 = "f96258be9fdc2cbff6559541aae7ea4f59df3fcaf5cf963aae5ca647357e359c"

_NAME_080 = re.compile(r"(?P<utt>[ps]\d+_\d+)\.(?:wav|flac)")
_NAME_092 = re.compile(r"(?P<utt>[ps]\d+_\d+)_mic(?P<mic>[12])\.(?:wav|flac)")


def recordings(root: str | Path, *, mic: int = 1) -> CorpusListing:
    """Find the recordings of either release.

    Args:
        root: the corpus, or the folder that contains it (VCTK-Corpus/, VCTK-Corpus-0.92/).
        mic: 1 (omni-directional, closer to 0.80) or 2; release 0.80 has only one.

    Raises:
        UserError: VCTK is not there, or the release has no such microphone.
    """
    audio_root, layout = _locate(Path(root))
    if layout is _NAME_080 and mic != 1:
        raise UserError(
            f"{audio_root}: VCTK 0.80 has a single microphone; leave out --mic {mic} or use release 0.92"
        )
    texts = audio_root.parent / "txt"
    skipped: Counter[str] = Counter()
    found = [
        recording
        for folder in visible_entries(audio_root)
        if folder.is_dir()
        for recording in _of_speaker(folder, texts / folder.name, layout, mic, skipped)
    ]
    if not found:
        raise UserError(f"{audio_root}: no audio of microphone {mic}; unpack the corpus again")
    return CorpusListing(found, skipped)


def download(folder: Path, outer: RemoteFile = OUTER, inner_sha256: str = INNER_SHA256) -> None:
    """Download release 0.92 and unpack it below `folder`, unless that is done already.

    Takes about 36 GB at the peak and 12 GB in the end: the archives are removed after unpacking.

    Raises:
        UserError: no connection, a damaged or altered archive, a full disk.
    """
    marker = folder / f".{INNER_NAME}.unpacked"
    inner = folder / INNER_NAME
    if marker.exists():
        return
    if not inner.exists():
        archive = fetch(outer, folder)
        extract(archive, folder)
        archive.unlink()
    if not inner.exists():
        raise UserError(f"{outer.url}: contains no {INNER_NAME}; download the corpus by hand into {folder}")
    check_sha256(inner, inner_sha256)
    extract(inner, folder / inner.stem)
    marker.touch()
    inner.unlink()


def _locate(root: Path) -> tuple[Path, re.Pattern[str]]:
    """The folder of audio files, and the pattern of their names."""
    if not root.is_dir():
        raise UserError(f"{root}: no such folder; --root is the unpacked VCTK corpus, or add --download")
    inside = sorted(root.glob("VCTK-Corpus*")) + sorted(root.glob("VCTK-Corpus*/VCTK-Corpus*"))
    for base in (root, *inside):
        for name, layout in (("wav48_silence_trimmed", _NAME_092), ("wav48", _NAME_080)):
            if (base / name).is_dir():
                return base / name, layout
    raise UserError(
        f"{root}: neither wav48 nor wav48_silence_trimmed in it; --root is the unpacked VCTK corpus"
    )


def _of_speaker(
    folder: Path, texts: Path, layout: re.Pattern[str], mic: int, skipped: Counter[str]
) -> list[Recording]:
    """The recordings of one speaker. Counts sentences without audio of this microphone."""
    chosen: dict[str, Path] = {}
    expected = {path.stem for path in visible_entries(texts) if path.suffix == ".txt"}
    for file in visible_entries(folder):
        named = layout.fullmatch(file.name)
        if not named or not named["utt"].startswith(f"{folder.name}_"):
            skipped["name does not match the corpus"] += 1
            continue
        expected.add(named["utt"])
        if int(named.groupdict().get("mic", mic)) == mic:
            chosen[named["utt"]] = file
    if missing := len(expected - chosen.keys()):
        skipped[f"no audio of microphone {mic}" if layout is _NAME_092 else "transcript without audio"] += (
            missing
        )
    return [
        Recording(utt, folder.name, file, read_text(texts / f"{utt}.txt"))
        for utt, file in sorted(chosen.items())
    ]
