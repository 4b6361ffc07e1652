"""Compiled kernels were cached beside the package: they outlived its removal and shadowed the next
installation.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.tiny import ROOT
from speechvq.runtime.compilation.cache import cache_folder

COMPILE = "from speechvq.video.world.camera import compile_camera; compile_camera()"


def compile_in(folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Compile a kernel with a copy of the package in `folder`."""
    variables = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}
    variables |= {"PYTHONPATH": str(folder)} | environment
    return subprocess.run(
        [sys.executable, "-c", COMPILE],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a copy of the package, as an installation has it."""
    folder = tmp_path_factory.mktemp("site")
    ignored = shutil.ignore_patterns("__pycache__", "pretrained")
    shutil.copytree(ROOT / "speechvq", folder / "speechvq", ignore=ignored)
    return folder


def test_nothing_is_cached_beside_the_package(package: Path, tmp_path: Path) -> None:
    done = compile_in(package, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert done.returncode == 0, done.stderr
    assert not [*package.rglob("*.nbi"), *package.rglob("*.nbc")]
    assert [*(tmp_path / "cache/speechvq/numba").rglob("*.nbi")]


def test_without_a_cache_folder_a_temporary_one_is_used(package: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "tmp").mkdir()
    done = compile_in(package, XDG_CACHE_HOME=str(tmp_path / "file"), TMPDIR=str(tmp_path / "tmp"))
    assert done.returncode == 0, done.stderr
    assert [*(tmp_path / "tmp").rglob("*.nbi")]


def test_a_folder_that_others_can_write_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """numba unpickles its cache, so another user could run code in it."""
    shared = tmp_path / "speechvq" / "numba"
    shared.mkdir(parents=True)
    shared.chmod(0o777)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() != shared
