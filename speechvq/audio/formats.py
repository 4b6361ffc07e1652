"""Endings of audio files: those that are read, and those that another program has to convert first."""

import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from speechvq.io.folders import walk_files_below
from speechvq.runtime.logging import logger

AUDIO_SUFFIXES = frozenset(  # what libsndfile reads
    ".wav .flac .ogg .oga .opus .mp3 .aiff .aif .aifc .au .snd .caf .w64 .rf64 .sph .voc".split()
)
FORMATS_REMEDY = "give WAV, FLAC, Ogg, Opus or MP3"
UNREAD_SUFFIXES = frozenset(".m4a .m4b .mp4 .aac .ac3 .wma .amr .3gp .ape .wv .mka .webm".split())


def conversion_remedy(path: Path) -> str:
    """The command that makes a readable file of one in a format that is not read; "" for other files."""
    if path.suffix.lower() not in UNREAD_SUFFIXES:
        return ""
    source, target = (shlex.quote(str(each)) for each in (path, path.with_suffix(".wav")))
    if source.startswith("-"):  # ffmpeg would take it for a flag
        source, target = f"./{source}", f"./{target}"
    return f"convert it: ffmpeg -i {source} {target}"


def describe_unread(paths: Sequence[Path]) -> str:
    """How many files are left out because of their format, and how to convert them; "" for none."""
    if not paths:
        return ""
    endings = ", ".join(sorted({path.suffix.lower() for path in paths}))
    return f"{len(paths)} files of a format that is not read ({endings}); {conversion_remedy(paths[0])}"


def split_unread(paths: Iterable[Path]) -> tuple[list[Path], list[Path]]:
    """The paths in formats that are read, and the others."""
    found: tuple[list[Path], list[Path]] = ([], [])
    for path in paths:
        found[path.suffix.lower() in UNREAD_SUFFIXES].append(path)
    return found


def audio_files_below(folder: Path) -> list[Path]:
    """Entries below a folder that have the ending of a format that is read; see `files_below`.

    Files in other formats are counted in a warning.
    """
    return list(walk_audio_files_below(folder))


def walk_audio_files_below(folder: Path) -> Iterator[Path]:
    """As `audio_files_below`, one by one; the warning comes at the end."""
    unread: list[Path] = []
    for path in walk_files_below(folder, AUDIO_SUFFIXES | UNREAD_SUFFIXES):
        if path.suffix.lower() in UNREAD_SUFFIXES:
            unread.append(path)
        else:
            yield path
    if unread:
        logger.warning("%s: left out: %s", folder, describe_unread(unread))
