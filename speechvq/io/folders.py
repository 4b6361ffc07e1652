"""Recursive search for files, through links to folders."""

from collections.abc import Collection, Iterator
from pathlib import Path

from speechvq.runtime.logging import logger


def files_below(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Entries below a folder with one of the suffixes, sorted by path; links to folders are followed.

    Hidden files and folders are left out. A link to a folder that contains it is logged and left out, and so
    is a folder without permission.

    Args:
        folder: an existing folder.
        suffixes: in lower case, with the dot; the case of file names is ignored.

    Returns:
        Files, and also folders, pipes and broken links of that name, which the caller refuses or ignores.
    """
    return list(walk_files_below(folder, suffixes))


def walk_files_below(folder: Path, suffixes: Collection[str]) -> Iterator[Path]:
    """As `files_below`, one by one in the same order; holds the entries of a few folders at a time."""
    return (path for path in _walk(folder, frozenset()) if path.suffix.lower() in suffixes)


def files_in(folder: Path, suffixes: Collection[str]) -> list[Path]:
    """Regular files directly in a folder with one of the suffixes, sorted; hidden files are left out."""
    entries = (entry for entry in folder.iterdir() if not entry.name.startswith("."))
    return sorted(entry for entry in entries if entry.suffix.lower() in suffixes and entry.is_file())


def _walk(folder: Path, above: frozenset[tuple[int, int]]) -> Iterator[Path]:
    """Visible entries below a folder, sorted by path.

    Args:
        folder: searched.
        above: device and number of the folders that contain it.
    """
    try:
        status = folder.stat()
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        logger.warning("%s: left out, cannot be read (%s)", folder, error.strerror)
        return
    identity = (status.st_dev, status.st_ino)
    if identity in above:
        logger.warning("%s: left out, a link to a folder that contains it", folder)
        return
    for entry in entries:
        yield entry
        if entry.is_dir():
            yield from _walk(entry, above | {identity})
