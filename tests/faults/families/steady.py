"""A thousand conversions, ten minutes and an hour of sound: memory and file handles stay flat."""

import contextlib
import io
import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import soundfile

import speechvq
from faults.bench import Bench, Command, call_quietly, voice
from faults.case import Case, Setting
from faults.child import MEGABYTE, Child, check_done
from speechvq import convert, encode
from speechvq.audio.waveform import read_waveform

TRIED = (
    "1,000 conversions of 0.1 to 0.3 s and 1,000 encodings in one process, 200 calls of the commands "
    "convert and encode, 1,000 failed readings; memory and the number of open files after 20 % of them "
    "and at the end. A file of ten minutes by convert, convert --chunked and encode, and one of an hour "
    "by encode, each within a fixed memory."
)
GROWTH = 24 * MEGABYTE  # allowed between 20 % of the calls and the end
TEN_MINUTES, HOUR = 600, 3_600  # seconds
FILE_MEMORY = {"encode": 1_200 * MEGABYTE, "convert": 1_200 * MEGABYTE, "convert --chunked": 1_200 * MEGABYTE}


def cases(setting: Setting) -> Iterator[Case]:
    """Repeated work; then long files."""
    bench = Bench(setting.folder / "bench")
    call_quietly(bench.command("convert", setting.folder / "warm"))
    call_quietly(bench.command("encode", setting.folder / "warm codes"))
    count, calls = (40, 10) if setting.short else (1_000, 200)
    yield Case(f"{count} conversions", lambda: check_flat(count, conversions(bench), setting.folder))
    yield Case(f"{count} encodings", lambda: check_flat(count, encodings(bench), setting.folder))
    yield Case(
        f"{count} failed readings", lambda: check_flat(count, failures(setting.folder), setting.folder)
    )
    for name in ("convert", "encode"):
        yield Case(
            f"{calls} calls of {name}",
            lambda name=name: check_flat(calls, command_calls(bench, name, setting.folder), setting.folder),  # type: ignore
        )
    seconds = 20 if setting.short else TEN_MINUTES
    for name in FILE_MEMORY:
        yield Case(
            f"{name} of {seconds} s",
            lambda name=name: check_long(name, seconds, bench, setting.folder),  # type: ignore
        )
    if not setting.short:
        yield Case("encode of an hour", lambda: check_long("encode", HOUR, bench, setting.folder))


def check_flat(count: int, work: Callable[[int], object], folder: Path) -> None:
    """Repeat work in a child; memory and handles at the end are those after a fifth of the calls."""

    def run() -> int:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            for number in range(count):
                work(number)
                if number == count // 5:
                    before = usage()
            after = usage()
        os.write(2, f"{after[0] - before[0]} {after[1] - before[1]}".encode())
        return 0

    ending = Child(run, folder, memory=0).wait(900)
    check_done(ending, seconds=600)
    grown, opened = map(int, ending.err.split())
    assert grown <= GROWTH, f"{grown / MEGABYTE:.0f} MB more after {count} calls"
    assert opened <= 0, f"{opened} more open files after {count} calls"


def usage() -> tuple[int, int]:
    """Resident bytes and open files of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize(), len(os.listdir("/proc/self/fd"))


def conversions(bench: Bench) -> Callable[[int], object]:
    """Conversions of waveforms of different lengths to three voices."""
    model = speechvq.load(bench.model)
    waves = [voice(seconds, seed=i).astype(np.float32) for i, seconds in enumerate((0.1, 0.17, 0.24, 0.3))]
    return lambda number: model.convert(waves[number % 4], model.speakers[number % 3])


def encodings(bench: Bench) -> Callable[[int], object]:
    """Encodings of the same."""
    model = speechvq.load(bench.model)
    waves = [voice(seconds, seed=i).astype(np.float32) for i, seconds in enumerate((0.1, 0.17, 0.24, 0.3))]
    return lambda number: model.encode(waves[number % 4])


def failures(folder: Path) -> Callable[[int], object]:
    """Readings of files that are cut."""
    path = folder / "cut.wav"
    soundfile.write(path, voice(0.5), 16_000)
    path.write_bytes(path.read_bytes()[:-3_000])

    def read(_: int) -> None:
        with contextlib.suppress(speechvq.UserError):
            read_waveform(path)

    return read


def command_calls(bench: Bench, name: str, folder: Path) -> Callable[[int], object]:
    """Calls of a command in the same process, each with a new output."""

    def work(number: int) -> None:
        assert call_quietly(bench.command(name, folder / f"{name} {number}")) == 0

    return work


def check_long(name: str, seconds: int, bench: Bench, folder: Path) -> None:
    """A long file within a fixed memory."""
    source = folder / f"long {seconds}.flac"
    if not source.exists():
        with soundfile.SoundFile(source, "w", 16_000, 1) as file:
            for number in range(seconds // 20):
                file.write(voice(20, seed=number))
    main = encode.main if name == "encode" else convert.main
    words = ["--model", str(bench.model), "--src", str(source), "--out", str(folder / f"{name} {seconds}")]
    if name != "encode":
        words[-1] += ".wav"
        words += ["--target-speaker", "bob", *name.split()[1:]]
    command = Command(main, words)
    ending = Child(lambda: command.main(command.arguments), folder, memory=0).wait(900)
    check_done(ending, seconds=900, memory=FILE_MEMORY[name])
