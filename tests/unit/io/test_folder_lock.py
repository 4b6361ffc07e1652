"""The lock on a folder: one process at a time, none after its process has ended, and no files left."""

import os
import signal
from pathlib import Path

import pytest

from helpers.tiny import python
from speechvq.errors import UserError
from speechvq.io.folder_lock import folder_lock

HOLD = """
import sys, time
from pathlib import Path
from speechvq.io.folder_lock import folder_lock
with folder_lock(Path(sys.argv[1]), "train"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_told_which_one_holds_it(tmp_path: Path) -> None:
    process = python("-c", HOLD, str(tmp_path / "out"))
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=f"out: process {process.pid} writes into this folder; wait"):
        with folder_lock(tmp_path / "out", "train"):
            pass
    with folder_lock(tmp_path / "out", "encode"):  # other work
        pass
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert os.listdir(tmp_path / "out") == [".train.lock"]
    with folder_lock(tmp_path / "out", "train"):  # a dead process holds nothing
        assert (tmp_path / "out/.train.lock").read_text() == f"{os.getpid()}\n"
    assert os.listdir(tmp_path / "out") == []


def test_an_empty_folder_is_removed_again(tmp_path: Path) -> None:
    with folder_lock(tmp_path / "a/b", "train"):
        pass
    assert not (tmp_path / "a").exists()
    with folder_lock(tmp_path / "a/b", "train"):
        (tmp_path / "a/b/result").touch()
    assert os.listdir(tmp_path / "a/b") == ["result"]


def test_a_file_in_the_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(UserError, match="a: cannot be written"):
        with folder_lock(tmp_path / "a", "train"):
            pass
