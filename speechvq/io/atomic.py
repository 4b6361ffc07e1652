"""Atomic writing: a file or folder is complete or absent.

The content is written under a temporary name in the same folder, then renamed. Temporary names start with a
dot, so a search for audio files or codes never finds one that a power cut left behind. They contain the
number of their process; the first write into a folder removes those of dead processes, see
`io.temporaries`.
"""

import errno
import json
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from speechvq.errors import UserError
from speechvq.io.temporaries import remove_left_temporaries, temporary_name


@contextmanager
def atomic_file(path: Path, *, sync: bool = False) -> Iterator[Path]:
    """Yield a temporary path that replaces `path` when the block ends without an error.

    The temporary file exists and is empty. It is removed on any failure, Ctrl-C included. The result has the
    permissions of a new file (0666 less the umask), even if a library wrote it for its owner alone.

    Args:
        path: parent folders are created; an existing file is replaced.
        sync: flush the file to the disk before the renaming, so that a power cut cannot leave it empty.

    Raises:
        UserError: the disk is full or not writable.
    """
    with writing(path), temporary_name(path) as temporary:
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_left_temporaries(path.parent)
        try:
            temporary.touch()
            mode = stat.S_IMODE(temporary.stat().st_mode)
            yield temporary
            temporary.chmod(mode)
            if sync:
                with open(temporary, "rb+") as file:
                    os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            _remove_file(temporary)


@contextmanager
def atomic_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder that replaces `folder` when the block ends without an error.

    The temporary folder is removed on any failure, Ctrl-C included.

    Raises:
        UserError: the disk is full or not writable.
    """
    with writing(folder), temporary_name(folder) as temporary:
        folder.parent.mkdir(parents=True, exist_ok=True)
        remove_left_temporaries(folder.parent)
        try:
            temporary.mkdir()
            yield temporary
            shutil.rmtree(folder, ignore_errors=True)
            os.replace(temporary, folder)
        except UserError as error:  # of a file within, which has a temporary name
            raise UserError(str(error).replace(str(temporary), str(folder))) from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn an OSError of writing, renaming or removing `path` into one line that names it.

    Every function that changes a file or folder works within this context.

    Raises:
        UserError: the disk is full or read-only; no permission; a parent is a file; the name is too long.
    """
    try:
        yield
    except OSError as error:
        raise _cannot_be_written(path, error) from error


def remove_file(path: Path) -> None:
    """Remove a file, if it exists.

    Raises:
        UserError: it cannot be removed.
    """
    with writing(path):
        path.unlink(missing_ok=True)


def write_bytes(path: Path, content: bytes | memoryview) -> None:
    """Write a file atomically; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
    """
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file atomically; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
    """
    write_bytes(path, text.encode())


def write_json(path: Path, content: Any) -> None:
    """Write plain data as JSON, atomically; parent folders are created.

    Raises:
        UserError: the disk is full or not writable.
        ValueError: a number is NaN or infinite, which JSON lacks.
    """
    write_text(path, json.dumps(content, indent=1, allow_nan=False))


def _cannot_be_written(path: Path, error: OSError) -> UserError:
    if isinstance(error, PermissionError):
        return UserError(
            f"{path}: cannot be written, no permission; change the folder's mode or choose another folder"
        )
    remedy = "free some space or choose another folder"
    if error.errno == errno.ENAMETOOLONG:
        remedy = "choose a shorter name"
    return UserError(f"{path}: cannot be written ({error.strerror or error}); {remedy}")


def _remove_file(temporary: Path) -> None:
    # A parent that is a file raises NotADirectoryError here too; the first error explains more.
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        pass
