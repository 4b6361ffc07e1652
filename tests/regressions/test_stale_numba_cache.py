"""A kernel that calls kernels of another file kept their old code after that file had changed: the sound of a
stream was wrong after an update, until the cache was deleted.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import numba
import pytest

from helpers.tiny import ROOT
from speechvq.runtime.compilation import cache as numba_cache
from speechvq.runtime.compilation.cache import KERNEL_FILES, PACKAGE, source_stamp, use_user_cache


def test_all_files_with_kernels_are_known() -> None:
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        if "from numba import" in path.read_text(encoding="utf-8")
    }
    assert found == set(KERNEL_FILES)


def test_a_changed_file_changes_the_stamp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(numba_cache, "PACKAGE", tmp_path)
    for name in KERNEL_FILES:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("a")
    stamps = [source_stamp()]
    for name in KERNEL_FILES:
        (tmp_path / name).write_text("ab")
        stamps.append(source_stamp())
    os.utime(tmp_path / name, ns=(0, 0))
    stamps.append(source_stamp())
    assert len(set(stamps)) == len(KERNEL_FILES) + 2 and source_stamp() == stamps[-1]


def test_kernels_are_cached_in_a_folder_of_the_stamp(tmp_path: Path) -> None:
    """Also by child processes, in the same folder."""
    show = "import os, speechvq; print(os.environ['NUMBA_CACHE_DIR'])"
    environment = os.environ | {"NUMBA_CACHE_DIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    code = f"import speechvq, subprocess, sys; subprocess.run([sys.executable, '-c', {show!r}], check=True)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(tmp_path / source_stamp())


def test_kernels_of_long_ago_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", "")
    old, recent, other, used = (tmp_path / name for name in ("0" * 16, "1" * 16, "mine", source_stamp()))
    for folder in (old, recent, other, used):
        folder.mkdir()
        days = 1 if folder == recent else 99
        os.utime(folder, (time.time() - days * 86_400,) * 2)
    use_user_cache()
    assert not old.exists() and recent.exists() and other.exists() and used.exists()
