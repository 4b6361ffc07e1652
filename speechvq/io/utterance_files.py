"""Folders with one file per utterance, at any depth; the file is named after the utterance."""

from collections.abc import Iterable
from pathlib import Path

from speechvq.errors import UserError
from speechvq.io.folders import files_below


def find_files(directory: Path, endings: Iterable[str], *, what: str) -> list[Path]:
    """Files below a folder with one of the given extensions, sorted by path; hidden files are left out.

    Args:
        directory: searched recursively; links to folders are followed.
        endings: extensions in lower case, with the dot; the case of file names is ignored.
        what: plural name of the files, for messages.

    Raises:
        UserError: no such folder, no such file below it, or a match that is neither file nor folder.
    """
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; give the folder of the {what}")
    endings = tuple(endings)
    found = []
    for path in files_below(directory, endings):
        if path.is_dir():
            continue
        if not path.is_file():  # reading a pipe would block
            raise UserError(f"{path}: neither a file nor a folder, or a broken link; remove it")
        found.append(path)
    if not found:
        raise UserError(f"{directory}: no {what} below; expected files ending in {', '.join(endings)}")
    return found


def by_utterance(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by utterance, the name without extension.

    Raises:
        UserError: two files of one utterance.
    """
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(path.stem, path)
        if other is not path:
            raise UserError(f"{path} and {other} both belong to the utterance {path.stem}; keep one")
    return found
