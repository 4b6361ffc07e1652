"""Folders with one file per utterance, at any depth, and the utterances that two such folders share.

An utterance is named by the path of its file below the folder, without the ending. Two folders match by that
path first, then by the end of it, as long as only one file of each ends so. `f/a1` is thus never taken for
`m/a1`, and flat codes match alignments in a folder per speaker.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePath

from speechvq.errors import UserError
from speechvq.io.folders import files_below
from speechvq.io.names import normalized


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
    found = regular_files(files_below(directory, endings))
    if not found:
        raise UserError(f"{directory}: no {what} below; expected files ending in {', '.join(endings)}")
    return found


def regular_files(paths: Iterable[Path]) -> list[Path]:
    """The paths without folders.

    Raises:
        UserError: a path is neither a file nor a folder.
    """
    found = []
    for path in paths:
        if path.is_dir():
            continue
        if not path.is_file():  # reading a pipe would block
            raise UserError(f"{path}: neither a file nor a folder, or a broken link; remove it")
        found.append(path)
    return found


def relative_name(path: Path, folder: Path) -> str:
    """The normalized path of a file below a folder, without its ending, for example "f/a1"."""
    return normalized(path.relative_to(folder).with_suffix("").as_posix())


def by_utterance(paths: Iterable[Path], folder: Path) -> dict[str, Path]:
    """Files by utterance: the name without ending, or the path below `folder` if several have that name.

    Raises:
        UserError: two files of one utterance.
    """
    named: dict[str, Path] = {}
    for path in paths:
        name = relative_name(path, folder)
        other = named.setdefault(name, path)
        if other is not path:
            raise UserError(f"{path} and {other} both belong to the utterance {name}; keep one")
    count = Counter(_last(name) for name in named)
    return {_last(name) if count[_last(name)] == 1 else name: path for name, path in named.items()}


def relative_names(files: Mapping[str, Path], folder: Path) -> dict[str, str]:
    """The relative name of each file of `by_utterance`."""
    return {key: relative_name(path, folder) for key, path in files.items()}


def match_names(wanted: Mapping[str, str], found: Mapping[str, str]) -> dict[str, str]:
    """The same utterances of two folders: a key of `found` for each key of `wanted` that has one.

    Args:
        wanted: relative names, as of `relative_names`, by any key.
        found: relative names of the other folder.

    Raises:
        UserError: a name without a folder fits files of several folders, or the other way round.
    """
    matched, unclear = find_matches(wanted, found)
    for names in unclear.values():
        raise UserError(
            f"the utterance {names[0].rpartition('/')[2]} could be {' or '.join(names[:2])}; put it into a "
            "folder of the same name"
        )
    return matched


def find_matches(
    wanted: Mapping[str, str], found: Mapping[str, str], *, shared: bool = False
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """As `match_names`; and the keys of `wanted` that could be several, with the names they could have.

    With `shared`, a file of `found` that lies in no folder belongs to all of its name, as the text of a
    sentence that several speakers read.
    """
    keys = {name: key for key, name in found.items()}
    matched = {key: keys[name] for key, name in wanted.items() if name in keys}
    used = set(matched.values())
    endings, other_endings = _by_ending(wanted.values()), _by_ending(keys)
    unclear: dict[str, list[str]] = {}
    for key, name in wanted.items():
        ending = next((each for each in _endings(name) if each in other_endings), None)
        if key in matched or ending is None:
            continue
        same, others = endings[ending], other_endings[ending]
        if len(others) == 1 and (len(same) == 1 or (shared and others == [ending])):
            matched[key] = keys[others[0]]
        elif ending == name or (ending in keys and keys[ending] not in used):
            unclear[key] = sorted(others if ending == name else same)
    return matched, unclear


def _endings(name: str) -> list[str]:
    """The ends of a relative name, the longest first: "f/a1" gives "f/a1" and "a1"."""
    parts = PurePath(name).parts
    return ["/".join(parts[first:]) for first in range(len(parts))]


def _by_ending(names: Iterable[str]) -> dict[str, list[str]]:
    """The names that have each ending."""
    found: dict[str, list[str]] = {}
    for name in names:
        for ending in _endings(name):
            found.setdefault(ending, []).append(name)
    return found


def _last(name: str) -> str:
    return name.rpartition("/")[2]
