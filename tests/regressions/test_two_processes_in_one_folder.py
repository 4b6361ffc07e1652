"""Two processes that wrote into one folder mixed their results without a word."""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from helpers.audio_files import save_tiny_model, write_tone
from helpers.tiny import python, run_config, write_config
from speechvq import convert, encode, prepare, train

HOLD = """
import sys, time
from contextlib import ExitStack
from pathlib import Path
from speechvq.io.folder_lock import folder_lock
with ExitStack() as stack:
    for work in ("convert", "encode-0-of-1", "encode-1-of-2", "prepare", "train"):
        stack.enter_context(folder_lock(Path(sys.argv[1]), work))
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with recordings, a model, and `out`, into which another process writes."""
    folder = tmp_path_factory.mktemp("place")
    write_tone(folder / "in/ann/a.wav")
    save_tiny_model(folder / "run")
    process = python("-c", HOLD, str(folder / "out"))
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield folder
    process.send_signal(signal.SIGKILL)
    process.communicate()


def arguments(place: Path, corpus: Path, command: str) -> list[str | Path]:
    source = ["--src", place / "in", "--model", place / "run"]
    match command:
        case "convert":
            return [*source, "--target-speaker", "bob"]
        case "encode":
            return source
        case "prepare":
            return ["folder", "--root", place / "in", "--jobs", "1"]
        case _:
            return ["--config", write_config(place, run_config(corpus))]


@pytest.mark.parametrize(
    ("command", "main"),
    [("convert", convert.main), ("encode", encode.main), ("prepare", prepare.main), ("train", train.main)],
)
def test_the_second_process_ends_with_one_line(
    command: str,
    main: Callable[[Sequence[str]], int],
    place: Path,
    corpus: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    before = set(os.listdir(place / "out"))
    argv = [*arguments(place, corpus, command), "--out", place / "out"]
    assert main([str(word) for word in argv]) == 2
    error = capsys.readouterr().err.splitlines()[-1]
    assert "out: process " in error and "writes into this folder; wait until it has ended" in error
    assert set(os.listdir(place / "out")) == before


def test_another_shard_may_run(place: Path) -> None:
    argv = [*arguments(place, place, "encode"), "--out", place / "out", "--shard", "0/2"]
    assert encode.main([str(word) for word in argv]) == 0 and (place / "out/ann/a.npy").exists()
