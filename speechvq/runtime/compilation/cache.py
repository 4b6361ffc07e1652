"""Where numba keeps compiled kernels: in the user's cache folder, not beside the installed package.

A cache beside the package would remain when the package is removed, and its folder would then shadow a new
installation. The package's folder may also be read-only.

numba compiles a kernel again when its own file has changed, but not when a kernel that it calls has changed
in another file. The old code would then get arguments that are meant for the new one, and compute wrong
numbers. So each state of the files with kernels has a cache folder of its own.
"""

import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importlib.machinery import ModuleSpec

PACKAGE = Path(__file__).parents[2]
KERNEL_FILES = (
    "audio/f0_kernels.py",
    "audio/phase_kernels.py",
    "metrics/dtw.py",
    "speech/sampling/all_pole.py",
    "speech/sampling/kernels.py",
    "speech/sampling/matmul_kernels.py",
    "speech/streaming/layer_kernels.py",
    "speech/streaming/source_kernels.py",
    "video/world/camera.py",
)
OLD_DAYS = 30  # age at which the kernels of another state of the files are removed


def use_user_cache() -> None:
    """Let numba cache compiled functions in the user's cache folder, or in a writable NUMBA_CACHE_DIR.

    This also applies to librosa's functions, and to child processes. It has to run before a function with a
    cache is defined: numba then raises "no locator available" if it finds no writable folder, as in a
    read-only home. One process at a time compiles into the folder (see `lock`).
    """
    chosen, stamp = os.environ.get("NUMBA_CACHE_DIR"), source_stamp()
    folder = Path(chosen) if chosen and _is_writable(Path(chosen)) else cache_folder()
    if folder.name != stamp:  # otherwise a parent process has already added the stamp
        folder /= stamp
        _remove_old(folder)
    os.environ["NUMBA_CACHE_DIR"] = str(folder)
    for finder in list(sys.meta_path):
        if isinstance(finder, _NumbaFinder):
            sys.meta_path.remove(finder)
    if "numba" in sys.modules:
        _set_up_numba(folder)
    else:
        sys.meta_path.insert(0, _NumbaFinder(folder))


class _NumbaFinder:
    """Sets numba up as soon as it has been imported, by whichever module; before, it may not be needed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def find_spec(self, name: str, path: object, target: ModuleType | None = None) -> "ModuleSpec | None":
        """numba's spec from the other finders, with a loader that also sets it up."""
        if name != "numba":
            return None
        from importlib.util import find_spec

        sys.meta_path.remove(self)
        spec = find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        execute = spec.loader.exec_module

        def execute_and_set_up(module: ModuleType) -> None:
            execute(module)
            _set_up_numba(self.folder)

        spec.loader.exec_module = execute_and_set_up  # type: ignore[method-assign]
        return spec


def _set_up_numba(folder: Path) -> None:
    """Let numba, which is imported, use the cache folder, one process at a time."""
    from speechvq.runtime.compilation.lock import lock_compilation

    sys.modules["numba"].config.CACHE_DIR = str(folder)  # it may have read its environment already
    lock_compilation(folder)


def source_stamp() -> str:
    """16 hexadecimal digits that change with the size or the time of any file with kernels."""
    states = [(PACKAGE / name).stat() for name in KERNEL_FILES]
    text = repr([(state.st_mtime_ns, state.st_size) for state in states])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def cache_folder() -> Path:
    """A writable folder that belongs to this user: the user's cache, else a temporary folder.

    numba unpickles what it finds there, so the folder must not be writable by others.
    """
    base = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"))  # as is without a home
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


def _remove_old(used: Path) -> None:
    """Remove the old folders of other states of the files, beside the folder that is used."""
    try:
        for each in used.parent.iterdir():
            old = time.time() - each.stat().st_mtime > OLD_DAYS * 86_400
            if old and each != used and re.fullmatch("[0-9a-f]{16}", each.name):
                shutil.rmtree(each, ignore_errors=True)
    except OSError:  # another process removes the same folder
        pass


def _is_writable(folder: Path) -> bool:
    """Whether a file can be made in a folder, which is created if it is missing."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False
