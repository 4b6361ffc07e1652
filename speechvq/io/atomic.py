"""Files that are either whole or absent: written beside their place, then renamed."""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from speechvq.errors import UserError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`, which takes its place when the block ends without an error.

    The temporary is removed on any failure, an interruption from the keyboard included. Its name starts with
    a dot, so what a power cut leaves behind is never taken for a sound.

    Raises:
        UserError: the disk is full, the folder cannot be made or written.
    """
    temporary = path.parent / f".part-{uuid.uuid4().hex[:12]}{path.suffix}"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        os.replace(temporary, path)
    except OSError as error:
        raise UserError(
            f"{path}: cannot be written ({error.strerror or error}); check the disk and --out"
        ) from error
    finally:
        _remove(temporary)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file atomically; parents are made.

    Raises:
        UserError: the disk is full, the folder cannot be made or written.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def _remove(temporary: Path) -> None:
    # A parent that is a file gives NotADirectoryError here too; the first error says it better.
    try:
        temporary.unlink(missing_ok=True)
    except OSError:
        pass
