import errno
import os
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers.tiny import ROOT
from speechvq.runtime import file_lock
from speechvq.runtime.compilation import lock as compile_lock
from speechvq.runtime.compilation.lock import CompileLock

FUNCTIONS = """
import numpy as np
from numba import guvectorize, njit

@guvectorize(["void(float64[:], float64[:])"], "(n)->(n)", nopython=True, cache=True)
def double(x, y):
    for i in range(x.shape[0]):
        y[i] = 2 * x[i]

@njit(cache=True)
def add(a, b):
    return a + b
"""
# The delays of saving are such that two processes without a lock leave the kernel of the second and the
# wrapper of the first, whose names differ because the first one has compiled one more function before.
DELAYS = {"first": {"double": 0.2, "guf": 1.8}, "second": {"double": 1.0, "guf": 0.2}}
USE = f"""
import sys, time
import speechvq
from numba import njit
from numba.core import caching

process, delays = sys.argv[1], {DELAYS}
save = caching.IndexDataCacheFile.save

def save_late(self, *arguments):
    name = self._index_name.split("-")[0].split(".")[-1]
    time.sleep(delays.get(process, {{}}).get(name, 0.2))
    print(name)
    save(self, *arguments)

caching.IndexDataCacheFile.save = save_late
for number in range(2 if process == "first" else 1):  # also prepares numba, so that both go on at once
    njit(lambda x: x)(1)
print(flush=True)
sys.stdin.readline()
import functions
assert functions.double(functions.np.arange(3.0)).tolist() == [0, 2, 4]
assert functions.add(1, 2) == 3
if process != "second":
    assert functions.add(1.0, 2.0) == 3.0
if process != "first":
    assert functions.add(1j, 2) == 2 + 1j
"""


def start(folder: Path, code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code), *arguments],
        env=os.environ | {"NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": f"{ROOT}:{folder}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate("\n", timeout=120)
    assert process.returncode == 0, err
    return out


def test_two_processes_compile_each_function_once(tmp_path: Path) -> None:
    """A third one then finds all of them: the kernel with its own wrapper, and every signature."""
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    processes = [start(tmp_path, USE, name) for name in DELAYS]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    saved = [line for process in processes for line in finish(process).split()]
    assert finish(start(tmp_path, USE, "third")) == "\n"
    assert sorted(saved) == ["add", "add", "add", "double", "guf"]


HOLD = """
import sys
from pathlib import Path
from speechvq.runtime.compilation.lock import CompileLock

CompileLock(Path(sys.argv[1])).acquire()
print(flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock `tmp_path/lock`."""
    process = start(tmp_path, HOLD, str(tmp_path / "lock"))
    assert process.stdout is not None and process.stdout.readline() == "\n"
    yield process
    process.kill()
    process.communicate()


def test_waits_for_another_process_until_it_is_killed(
    tmp_path: Path,
    holder: subprocess.Popen[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(compile_lock, "NOTICE_S", 0.1)
    lock, taken = CompileLock(tmp_path / "lock"), threading.Event()
    thread = threading.Thread(target=lambda: (lock.acquire(), taken.set(), lock.release()))
    thread.start()
    assert not taken.wait(0.5)
    messages = [record.getMessage() for record in caplog.records]
    assert messages == [f"waiting for another process that compiles (it holds {tmp_path / 'lock'}) ..."]
    holder.kill()
    assert taken.wait(10)
    thread.join()


def test_an_interrupted_wait_holds_nothing(
    tmp_path: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_: float) -> None:
        raise KeyboardInterrupt

    lock = CompileLock(tmp_path / "lock")
    with monkeypatch.context() as patch:
        patch.setattr(compile_lock.time, "sleep", interrupt)
        with pytest.raises(KeyboardInterrupt):
            lock.acquire()
    lock.release()  # does nothing
    holder.kill()
    holder.wait()
    taken = threading.Event()
    thread = threading.Thread(target=lambda: (lock.acquire(), taken.set(), lock.release()))
    thread.start()
    assert taken.wait(10)
    thread.join()


def test_threads_exclude_one_another_and_one_may_take_it_twice(tmp_path: Path) -> None:
    lock, taken = CompileLock(tmp_path / "lock"), threading.Event()
    lock.acquire()
    lock.acquire()
    thread = threading.Thread(target=lambda: (lock.acquire(), taken.set(), lock.release()))
    thread.start()
    lock.release()
    assert not taken.wait(0.2)
    lock.release()
    assert taken.wait(10)
    thread.join()


def test_a_folder_that_cannot_be_written_has_no_lock(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    lock = CompileLock(tmp_path / "file" / "lock")
    lock.acquire()
    lock.release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP])
def test_a_file_system_without_locks(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(file_lock.fcntl, "lockf", refuse)
    before = len(os.listdir("/dev/fd"))
    lock = CompileLock(tmp_path / "lock")
    lock.acquire()
    lock.release()
    assert len(os.listdir("/dev/fd")) == before


def test_the_package_does_not_import_numba_and_locks_it_later(tmp_path: Path) -> None:
    """Also if a library imports it, or if it was imported before the package."""
    code = """
        import sys
        {first}
        import speechvq
        from speechvq.runtime.compilation.lock import _installed
        assert {none} or ("numba" not in sys.modules and not _installed)
        import numba
        from numba.core import event
        [lock] = _installed
        assert lock.path.name == "lock" and str(lock.path.parent) == numba.config.CACHE_DIR
        assert len(event._registered["numba:compiler_lock"]) == 1
        speechvq.use_user_cache()
        assert len(event._registered["numba:compiler_lock"]) == len(_installed) == 1
        assert sum("_AfterNumba" in type(each).__name__ for each in sys.meta_path) == 0
    """
    finish(start(tmp_path, textwrap.dedent(code).format(first="", none=False)))
    finish(start(tmp_path, textwrap.dedent(code).format(first="import numba", none=True)))
