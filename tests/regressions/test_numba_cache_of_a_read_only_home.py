"""In a read-only home, or without one, numba raised "no locator available", also in librosa's functions."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.tiny import ROOT
from speechvq.runtime.compilation import cache as numba_cache

# librosa.util.localmax calls a function that numba compiles with cache=True.
USE = "import speechvq, librosa, numpy; librosa.util.localmax(numpy.arange(9.0))"
NOWHERE = "/proc/nowhere"  # no folder can be made there, not even by root


def test_librosa_uses_the_temporary_folder(tmp_path: Path) -> None:
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), NOWHERE)
    done = subprocess.run(
        [sys.executable, "-c", USE],
        cwd=tmp_path,
        env=os.environ | nowhere | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert [*tmp_path.rglob("*.nbi")]


@pytest.mark.parametrize("home", [NOWHERE, "relative"])
def test_without_a_home_a_temporary_folder_is_taken(
    home: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(numba_cache.tempfile, "gettempdir", lambda: str(tmp_path / "temporary"))
    monkeypatch.setenv("HOME", home)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert numba_cache.cache_folder().parent == tmp_path / "temporary"
    assert not (tmp_path / "relative").exists()
