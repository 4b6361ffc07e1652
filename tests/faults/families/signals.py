"""SIGINT and SIGTERM at random moments of every command, once and twice."""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from faults.bench import WRITERS, Bench, call_quietly, check_whole
from faults.case import Case, Setting
from faults.child import Child, check_done, check_quiet, last_line
from speechvq.io.journal import FILE_NAME

TRIED = (
    "SIGINT, SIGTERM, and SIGINT twice, at random moments of every command while it works. It ends with "
    "exit code 130 or 143 within two seconds of processor time, without a traceback; no file is "
    "half-written and nothing unfinished remains; convert, encode, align, prepare and generate go on "
    "from there when called again."
)
GRACE = 2.0  # seconds of processor between the signal and the end
LONGEST = 90.0  # seconds by the clock, on a machine that has more to do
ATTEMPTS = 6  # with ever shorter delays, if the command ends before the signal
SIGNALS = {"SIGINT": [signal.SIGINT], "SIGTERM": [signal.SIGTERM], "SIGINT twice": [signal.SIGINT] * 2}
CONTINUE = ("convert folder", "encode", "align", "prepare folder")
MOMENTS = 2  # of each signal


def cases(setting: Setting) -> Iterator[Case]:
    """Every command, every signal, some moments."""
    bench, rng = Bench(setting.folder / "bench", long=True), setting.rng()
    small = Bench(setting.folder / "small")
    names = [name for name in WRITERS if name not in ("convert", "convert flac", "enroll decoder")]
    for name in ["convert folder", "convert torch"] if setting.short else names:
        duration = measured(bench, small, name, setting.folder / "whole" / name)
        for label in setting.some(list(SIGNALS), 2):
            for moment in range(1 if setting.short else MOMENTS):
                delay = float(rng.uniform(0.05, 0.9)) * duration
                yield Case(
                    f"{name}, {label} after {delay:.2f} s",
                    lambda n=name, s=label, d=delay, m=moment: check(  # type: ignore[misc]
                        bench, n, SIGNALS[s], d, setting.folder / f"{s} {m}" / n
                    ),
                )
    for name in CONTINUE if not setting.short else CONTINUE[1:2]:
        yield Case(
            f"{name}, continued", lambda n=name: check_continued(bench, n, setting.folder / "rest" / n)
        )  # type: ignore


def measured(bench: Bench, small: Bench, name: str, out: Path) -> float:
    """Seconds of the whole command; 3 for one that does not end by itself.

    The command runs on `small` first, so that its imports and compilations are not counted.
    """
    if name.startswith(("train", "enroll", "convert torch", "convert chunked")):
        bench.command(name, out)
        return 3.0
    command = bench.command(name, out)
    call_quietly(small.command(name, out.with_name(f"{name} small")))
    ending = Child(lambda: command.main(command.arguments), bench.folder, memory=0).wait(300)
    check_done(ending, seconds=300, memory=4 << 30)
    return ending.seconds


def check(bench: Bench, name: str, signals: list[signal.Signals], delay: float, out: Path) -> None:
    """Send signals after a delay, or after a shorter one if the command has ended by then."""
    for attempt in range(ATTEMPTS):
        shutil.rmtree(out, ignore_errors=True)
        if interrupted(bench, name, signals, delay / 2**attempt, out):
            check_whole(out, unfinished=len(signals) > 1)
            return
    raise AssertionError(f"ends before a signal can reach it, {delay / 2**ATTEMPTS:.3f} s")


def interrupted(bench: Bench, name: str, signals: list[signal.Signals], delay: float, out: Path) -> bool:
    """Whether the signals arrived; if so, the ending is checked."""
    command = bench.command(name, out)
    child = Child(lambda: command.main(command.arguments), bench.folder, memory=0)
    time.sleep(delay)
    if not child.running():
        child.wait()
        return False
    before = processor_seconds(child.pid)
    for signum in signals:
        child.send(signum)
        time.sleep(0.05 if len(signals) > 1 else 0)
    ending = child.wait(LONGEST)
    if ending.code == 0:
        return False
    expected = 128 + signals[0]
    assert ending.code == expected, f"exit code {ending.code}, expected {expected}: {last_line(ending.err)}"
    check_quiet(ending)
    assert not ending.timed_out and ending.cpu - before <= GRACE, f"ended {ending.cpu - before:.1f} s later"
    return True


def processor_seconds(pid: int) -> float:
    """User and system time so far of a process, its children, and theirs."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text().split()]
    except OSError:  # it has ended, and its parent has its time
        return 0.0
    return sum(map(int, fields[11:15])) / 100 + sum(processor_seconds(int(child)) for child in children)


def check_continued(bench: Bench, name: str, out: Path) -> None:
    """After an interruption the same command does the rest and keeps what was done."""
    command = bench.command(name, out)
    child = Child(lambda: command.main(command.arguments), bench.folder, memory=0)
    end = time.monotonic() + LONGEST
    while len(results(out)) < 5 and child.running() and time.monotonic() < end:
        time.sleep(0.01)
    child.send(signal.SIGINT)
    ending = child.wait(LONGEST)
    assert ending.code == 128 + signal.SIGINT, f"exit code {ending.code}: {last_line(ending.err)}"
    check_whole(out)
    done = finished_results(out)
    assert done, "nothing is kept"
    ending = Child(lambda: command.main(command.arguments), bench.folder, memory=0).wait(300)
    check_done(ending, seconds=300, memory=4 << 30)
    again = results(out)
    assert all(again.get(path) == when for path, when in done.items()), "finished results were made again"
    assert len(again) > len(done), "nothing was left to do"


def finished_results(out: Path) -> dict[str, int]:
    """The results that are in the journal, or all if the command has none.

    A worker process may be stopped between writing a result and entering it into the journal; the result is
    then made again.
    """
    journal = out / FILE_NAME
    if not journal.exists():
        return results(out)
    entries = map(json.loads, journal.read_text().splitlines())
    listed = {str(out / path) for entry in entries for path in entry["outputs"]}
    return {path: when for path, when in results(out).items() if path in listed}


def results(out: Path) -> dict[str, int]:
    """Time of the last change of every result."""
    found = [path for path in out.rglob("*") if path.suffix in (".wav", ".flac", ".npy", ".lab", ".png")]
    return {str(path): path.stat().st_mtime_ns for path in found if not path.name.startswith(".")}
