"""Names of utterances, speakers and voices: how they are compared, listed and turned into files.

A name is text in Unicode normal form C. macOS writes file names in form D, in which "José" is another string.
Names are therefore normalized when they enter the program, and files are opened by the path on the disk.
"""

import os
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

from speechvq.errors import UserError, is_control

MAX_BYTES = 255  # of one part of a path, on the file systems of Linux, macOS and Windows
_RESERVED = {"con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10))}


def normalized(name: str) -> str:
    """A name in Unicode normal form C, in which names are compared."""
    return unicodedata.normalize("NFC", name)


def split_names(text: str, is_known: Callable[[str], bool]) -> list[str]:
    """Names between commas. A known name that contains commas is one name: "Smith, John,p225" may be two.

    Args:
        text: as on the command line; spaces around a name and empty names are dropped.
        is_known: whether a name exists; asked about texts with commas alone.

    Returns:
        Normalized names. Of several ways to split, the one with the longest known name wins, from the left.
    """
    parts = normalized(text).split(",")
    names, first = list[str](), 0
    while first < len(parts):
        last, name = first + 1, parts[first].strip()
        for end in range(first + 2, len(parts) + 1):
            joined = ",".join(parts[first:end]).strip()
            if len(joined) > MAX_BYTES:
                break
            if is_known(joined):
                last, name = end, joined
        names, first = [*names, name] if name else names, last
    return names


def is_one_line(text: str) -> bool:
    """Whether a text has no control characters and line breaks, and can be written as UTF-8."""
    return not any(map(is_control, text))


def is_file_name(name: str) -> bool:
    """Whether `name` can be a file's stem: one line of text in UTF-8, without slashes, not hidden, not empty.

    A longer ending than `.safetensors` is never added, so at most 243 bytes are accepted.
    """
    if not is_one_line(name):
        return False
    if os.name == "nt" and name.split(".")[0].rstrip().lower() in _RESERVED:  # devices of Windows
        return False
    fits = len(name.encode()) <= MAX_BYTES - len(".safetensors")
    return fits and bool(name.strip()) and not name.startswith(".") and not set(name) & set("/\\")


def existing(path: Path) -> Path:
    """The path on the disk with the same normalized name; `path` itself if there is none."""
    if os.path.lexists(path) or path == path.parent:
        return path
    folder = existing(path.parent)
    try:
        entries = [entry for entry in folder.iterdir() if normalized(entry.name) == normalized(path.name)]
    except OSError:
        return path
    return min(entries) if entries else path


def check_length(path: Path) -> None:
    """Refuse a path that no disk accepts, before the work for its content.

    Raises:
        UserError: the name of the file or of a folder is longer than 255 bytes.
    """
    if long := [part for part in path.parts if len(os.fsencode(part)) > MAX_BYTES]:
        raise UserError(f"{long[0][:40]}...: a name of {len(os.fsencode(long[0]))} bytes; shorten it to 200")


def check_case(paths: Iterable[Path], folder: Path) -> None:
    """Refuse results of which one would replace another, because their disk ignores the case of names.

    Disks of macOS and Windows take A.wav and a.wav for one file, those of Linux do not. If two names differ
    in case alone, the disk of the folder decides.

    Args:
        paths: of the results, each once.
        folder: of the results; holds a file, such as its lock, that shows what the disk does.

    Raises:
        UserError: two results would be one file.
    """
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(str(path).casefold(), path)
        if other != path and ignores_case(folder):
            raise UserError(
                f"{path} and {other}: differ in case only, and this disk takes them for one file; rename a "
                "recording, or choose --out on another disk"
            )


def ignores_case(folder: Path) -> bool:
    """Whether the disk of a folder ignores the case of names, as far as a file in it shows."""
    for path in folder.iterdir():
        swapped = path.with_name(path.name.swapcase())
        if swapped.name != path.name and path.exists():
            return swapped.exists() and swapped.samefile(path)
    return False
