"""Where numba keeps compiled kernels: in the user's cache folder, not beside the installed package.

Beside the package they outlive its removal, and the folder that is left then shadows a new installation; and
the package may be read-only.
"""

import os
import stat
import sys
import tempfile
from pathlib import Path


def use_user_cache() -> None:
    """Let numba cache compiled functions in the user's cache folder; a writable NUMBA_CACHE_DIR is kept.

    This also applies to librosa's functions, and to child processes. It has to run before a function with a
    cache is defined: numba then raises "no locator available" if it finds no writable folder, as in a
    read-only home.
    """
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen and _is_writable(Path(chosen)):
        return
    folder = str(cache_folder())
    os.environ["NUMBA_CACHE_DIR"] = folder
    if "numba" in sys.modules:  # it has read its environment already
        sys.modules["numba"].config.CACHE_DIR = folder


def cache_folder() -> Path:
    """A writable folder that belongs to this user: the user's cache, else a temporary folder.

    numba unpickles what it finds there, so the folder must not be writable for others.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # as it is without a home
    temporary = Path(tempfile.gettempdir()) / f"speechvq-numba-{os.getuid() if hasattr(os, 'getuid') else ''}"
    for folder in (base / "speechvq" / "numba", temporary):
        if not folder.is_absolute():
            continue
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            status = folder.stat()
        except OSError:
            continue
        is_owner = not hasattr(os, "getuid") or status.st_uid == os.getuid()
        if is_owner and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH) and _is_writable(folder):
            return folder
    return Path(tempfile.mkdtemp(prefix="speechvq-numba-"))


def _is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is created if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
