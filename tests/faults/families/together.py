"""Two processes that do the same at once: compile, train, prepare, encode, write."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from faults.bench import WRITERS, Bench, call_quietly, check_whole
from faults.case import Case, Setting
from faults.child import WALL, Child, check_done, check_quiet, contents, last_line
from helpers.tiny import ROOT

TRIED = (
    "Every command that writes, twice at once with the same output, three times; two interpreters that "
    "compile the kernels into one empty cache; and four that compile those of librosa there, after which "
    "another one uses them. Each ends with 0, or with one line that says why "
    "not; one of them succeeds; the results are whole and equal to those of one process alone."
)
ROUNDS = 3
SECONDS = 60.0
LIBROSA = """
import speechvq, librosa, numpy as np
wave = np.sin(np.arange(16_000) / 20).astype(np.float32) * np.linspace(0, 1, 16_000, dtype=np.float32)
f0, voiced, probability = librosa.pyin(wave, fmin=60, fmax=400, sr=16_000)
print(np.nanmean(f0), voiced.sum(), librosa.yin(wave, fmin=60, fmax=400, sr=16_000).mean())
print(librosa.util.localmax(wave).sum(), librosa.zero_crossings(wave).sum(), librosa.lpc(wave, order=4))
print(librosa.sequence.dtw(wave[None, :200], wave[None, 100:400])[0].sum())
"""
COMPARED = (".wav", ".flac", ".npy", ".lab", ".json", ".safetensors", ".tsv", ".txt", ".yaml")


def cases(setting: Setting) -> Iterator[Case]:
    """Every writer; then the compilation."""
    bench = Bench(setting.folder / "bench")
    for name in setting.some(WRITERS, 3):
        yield Case(f"{name}, one alone", lambda n=name: check_alone(bench, n, setting.folder))  # type: ignore
        for number in range(1 if setting.short else ROUNDS):
            yield Case(
                f"{name}, two at once, {number + 1}",
                lambda n=name: check_two(bench, n, setting.folder),  # type: ignore[misc]
            )
    if not setting.short:
        yield Case("two compilations", lambda: check_compilation(bench, setting.folder / "compilation"))
        yield Case("four compilations of librosa", lambda: check_librosa(setting.folder / "librosa"))


def check_alone(bench: Bench, name: str, folder: Path) -> None:
    """The results to compare with."""
    out = folder / "out" / name
    command = bench.command(name, out)
    if not name.startswith("train"):
        call_quietly(bench.command(name, folder / "warm" / name))
    check_done(
        Child(lambda: command.main(command.arguments), folder, memory=0).wait(WALL * SECONDS), seconds=SECONDS
    )
    check_whole(out)
    out.rename(folder / f"alone {name}")


def check_two(bench: Bench, name: str, folder: Path) -> None:
    """Two children with the same arguments."""
    out = folder / "out" / name
    shutil.rmtree(out, ignore_errors=True)
    command = bench.command(name, out)
    children = [Child(lambda: command.main(command.arguments), folder, memory=0) for _ in range(2)]
    endings = [child.wait(WALL * SECONDS) for child in children]
    for ending in endings:
        check_quiet(ending)
        assert not ending.timed_out, "neither ends"
        assert ending.code in (0, 2), f"exit code {ending.code}: {last_line(ending.err)}"
    refused = [last_line(ending.err) for ending in endings if ending.code]
    assert len(refused) < 2, f"both are refused: {refused[0]}"
    check_whole(out)
    alone, both = contents(folder / f"alone {name}"), contents(out)
    for path, content in alone.items():
        if Path(path).suffix in COMPARED:
            assert path in both, f"{path} is missing{'; ' + refused[0] if refused else ''}"
            assert both[path] == content, f"{path} differs"


def check_compilation(bench: Bench, folder: Path) -> None:
    """Two new interpreters with one empty cache of compiled kernels."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache")}
    processes = []
    for number in range(2):
        command = bench.command("convert", folder / f"out {number}")
        words = [sys.executable, "-m", "speechvq.convert", *command.arguments]
        processes.append(
            subprocess.Popen(words, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, stdout=-1)
        )
    for process in processes:
        _, error = process.communicate(timeout=600)
        assert process.returncode == 0, f"exit code {process.returncode}: {last_line(error)}"
    first, second = (contents(folder / f"out {number}") for number in range(2))
    assert first == second, "the results differ"


def check_librosa(folder: Path) -> None:
    """Four new interpreters compile librosa's ufuncs at once; then each ufunc is called by another one."""
    environment = os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache")}

    def start() -> subprocess.Popen[str]:
        words = [sys.executable, "-c", LIBROSA]
        return subprocess.Popen(
            words, cwd=ROOT, env=environment, text=True, stderr=subprocess.PIPE, stdout=-1
        )

    printed = []
    for processes in ([start() for _ in range(4)], [start()]):
        for process in processes:
            output, error = process.communicate(timeout=600)
            assert process.returncode == 0, f"exit code {process.returncode}: {last_line(error)}"
            printed.append(output)
    assert len(set(printed)) == 1, "the results differ"
