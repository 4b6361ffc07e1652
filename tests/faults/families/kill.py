"""SIGKILL at random moments while every step saves, and at each file operation of a save."""

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from faults.case import Case, Setting
from faults.child import WALL, Child, check_done, last_line, temporaries
from faults.runs import TRAIN_SECONDS, Runs, check_same_end
from speechvq import train
from speechvq.io.tensors import read_tensors
from speechvq.training.checkpoint import MARKER, list_checkpoints

TRIED = (
    "SIGKILL at random moments while every step saves, and before each file operation of two saves "
    "(opening, renaming, removing). After each kill the newest complete checkpoint is whole; in the end "
    "the run equals one that was never killed, and nothing unfinished remains."
)
KIND, RANDOM_KILLS = "speech loss", 50
MAX_WAIT = 0.15  # seconds between a new checkpoint and the kill
ENDLESS = (
    "train.steps=100000",
    "train.save_every=1",
    "train.lr_decay_fraction=0",
    "train.evaluate_every=100000",
)
EVENTS = {"open", "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "shutil.rmtree"}


def cases(setting: Setting) -> Iterator[Case]:
    """The random moments first; the run that they leave behind is the last of these cases."""
    runs, rng = Runs(setting.folder), setting.rng()
    for number in range(2 if setting.short else RANDOM_KILLS):
        yield Case(f"random moment {number + 1}", lambda: kill_at_random(runs, rng))
    yield Case("the run killed at random moments, continued", lambda: check_continued(runs))
    operations = count_operations(runs)
    for number in setting.some(range(operations), 3):
        yield Case(f"file operation {number + 1} of {operations}", lambda n=number: kill_at(runs, n))  # type: ignore


def kill_at_random(runs: Runs, rng: np.random.Generator) -> None:
    """Continue the run until a new checkpoint appears, wait for a moment, and kill it."""
    run = runs.folder / "killed"
    before = newest(run)
    arguments = runs.arguments(KIND, "killed", *ENDLESS)
    child = Child(lambda: train.main(arguments), runs.folder, memory=0)
    end = time.monotonic() + WALL * TRAIN_SECONDS
    while newest(run) == before and time.monotonic() < end and child.running():
        time.sleep(0.002)
    time.sleep(rng.uniform(0, MAX_WAIT))
    child.send(signal.SIGKILL)
    ending = child.wait()
    assert ending.code == 128 + signal.SIGKILL, f"ended by itself: {last_line(ending.err)}"
    assert newest(run) != before, f"no step within {TRAIN_SECONDS:.0f} s: {last_line(ending.err)}"
    for path in list_checkpoints(run)[-1].glob("*.safetensors"):
        read_tensors(path)


def check_continued(runs: Runs) -> None:
    """The killed run and one that is never killed, to the same step: equal to the bit."""
    last = newest(runs.folder / "killed") + 3
    rest = ("train.lr_decay_fraction=0", "train.evaluate_every=100000", f"train.steps={last}")
    check_done(runs.train(KIND, "killed", *rest), seconds=TRAIN_SECONDS)
    check_done(runs.train(KIND, "never killed", *rest, "train.save_every=100000"), seconds=TRAIN_SECONDS)
    check_same_end(runs.folder / "never killed", runs.folder / "killed")
    check_clean(runs.folder / "killed")


def newest(run: Path) -> int:
    """Step of the newest complete checkpoint of the main stage; 0 without one."""
    steps = [folder.name.partition("_step_")[2] for folder in list_checkpoints(run)]
    return int(steps[-1]) if steps else 0


# -- at each file operation


BRIEF = ("train.steps=4", "train.save_every=1", "train.keep_checkpoints=1", "train.evaluate_every=2")


def count_operations(runs: Runs) -> int:
    """Number of file operations from the save of step 2 to that of step 3, in a run that is not killed."""
    path = runs.folder / "operations.txt"

    def write(number: int) -> None:
        path.write_text(str(number + 1))

    check_done(runs.train(KIND, "not killed", *BRIEF, rig=lambda: watch(runs.folder / "not killed", write)))
    return int(path.read_text())


def kill_at(runs: Runs, number: int) -> None:
    """Kill the run before an operation, and continue it to the end."""

    def kill(operation: int) -> None:
        if operation == number:
            os.kill(os.getpid(), signal.SIGKILL)

    name = f"killed at operation {number}"
    run = runs.folder / name
    ending = runs.train(KIND, name, *BRIEF, rig=lambda: watch(run, kill))
    assert ending.code == 128 + signal.SIGKILL, f"exit code {ending.code}: {last_line(ending.err)}"
    check_done(runs.train(KIND, name, *BRIEF))
    check_same_end(runs.folder / "not killed", run)
    check_clean(run)


def watch(run: Path, act: Callable[[int], None]) -> None:
    """Call `act` with the number of each file operation in the checkpoints of steps 2 and 3."""
    operations = 0
    active = False

    def hook(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal operations, active
        if event not in EVENTS or active or not str(arguments[0]).startswith(str(run / "checkpoints")):
            return
        if 1 <= newest(run) < 3:
            active = True  # the operations of `act` itself do not count
            act(operations)
            operations += 1
            active = False

    sys.addaudithook(hook)


def check_clean(run: Path) -> None:
    """No unfinished file, and no checkpoint without its marker."""
    assert not (left := temporaries(run)), f"left: {left}"
    unmarked = [path.name for path in (run / "checkpoints").iterdir() if not (path / MARKER).exists()]
    assert not unmarked, f"incomplete checkpoints stay: {unmarked}"
