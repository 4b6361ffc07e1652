"""Folders that hold a file for each utterance, at any depth, named by it."""

from collections.abc import Iterable
from pathlib import Path

from speechvq.errors import UserError


def find_files(directory: Path, endings: Iterable[str], *, what: str) -> list[Path]:
    """Every file below a folder with one of some endings, by path; what is hidden is left out.

    Args:
        directory: searched through and through; links to folders are not followed.
        endings: in lower case, with the dot; files may have them in capitals.
        what: is looked for, in the plural, for the message.

    Raises:
        UserError: no such folder, no such file in it, or one that is neither file nor folder.
    """
    if not directory.is_dir():
        raise UserError(f"{directory}: no such folder; give the folder of the {what}")
    endings = tuple(endings)
    found = []
    for path in sorted(directory.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(directory).parts)
        if hidden or path.suffix.lower() not in endings or path.is_dir():
            continue
        if not path.is_file():  # a pipe would keep its reader waiting
            raise UserError(f"{path}: neither a file nor a folder, or a broken link; remove it")
        found.append(path)
    if not found:
        raise UserError(f"{directory}: no {what} below; expected files ending in {', '.join(endings)}")
    return found


def by_utterance(paths: Iterable[Path]) -> dict[str, Path]:
    """Files by their names without ending.

    Raises:
        UserError: two are of one utterance.
    """
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(path.stem, path)
        if other is not path:
            raise UserError(f"{path} and {other} both belong to the utterance {path.stem}; keep one")
    return found
