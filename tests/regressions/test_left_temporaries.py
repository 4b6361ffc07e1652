"""A killed process left its temporary files for ever, and a checkpoint without its marker stayed too."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.audio_files import names
from speechvq.io import temporaries
from speechvq.io.atomic import atomic_file, atomic_folder, write_text
from speechvq.io.temporaries import temporary_name

CRASH = """
import os, sys
from pathlib import Path
from speechvq.io.atomic import atomic_file, atomic_folder
with atomic_file(Path("a.npy")) as file, atomic_folder(Path("b")) as folder:
    (folder / "half").touch()
    os._exit(1)
"""


@pytest.fixture
def crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which a process was killed while it wrote a file and a folder."""
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    subprocess.run([sys.executable, "-c", CRASH], cwd=tmp_path, env=environment, timeout=60)
    assert len(os.listdir(tmp_path)) == 2
    monkeypatch.setattr(temporaries, "_searched", set())
    return tmp_path


def test_the_next_write_removes_them(crashed: Path) -> None:
    write_text(crashed / "c.txt", "")
    assert os.listdir(crashed) == ["c.txt"]


def test_those_of_living_processes_and_other_computers_stay(crashed: Path) -> None:
    left = os.listdir(crashed)[0]
    _, host, pid, _ = left.split("-")
    others = {
        left.replace(host, "0" * 8),
        left.replace(f"-{pid}-", f"-{os.getppid()}-"),
        ".part-of-another-program",
    }
    for name in others:
        (crashed / name).mkdir()
    with atomic_file(crashed / "d.txt"), atomic_folder(crashed / "e"):
        temporaries._searched.clear()
        write_text(crashed / "c.txt", "")
        assert len(others & set(os.listdir(crashed))) == 3 and len(os.listdir(crashed)) == 3 + 2 + 1
    assert set(os.listdir(crashed)) == others | {"c.txt", "d.txt", "e"}


def test_a_dead_process_of_the_same_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container the number of a process is often the same in each run."""
    monkeypatch.setattr(temporaries, "_searched", set())
    with temporary_name(tmp_path / "a.npy") as left:
        left.touch()
    write_text(tmp_path / "c.txt", "")
    assert names(tmp_path) == {"c.txt"}
