"""A command in a forked child process: bounded in time and memory, with its exit code and what it printed.

A fork costs milliseconds where a new interpreter costs seconds of imports. The parent imports the commands
first, with one thread.
"""

import os
import re
import resource
import select
import shutil
import signal
import sys
import time
import traceback
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from speechvq.runtime import signals

MEGABYTE = 1 << 20
SECONDS, MEMORY = 30.0, 1024 * MEGABYTE  # of processor and memory, if a case does not say otherwise
WALL = (
    4  # times the seconds of processor that a child may take by the clock, on a machine that has more to do
)
TRACEBACK = "Traceback (most recent call last)"
# A line of a library alone; our own lines may quote one.
_LIBRARY = re.compile(r"^(\S+:\d+: )?\w*Warning: |^\[\w+:.*\] |^\[src/|^Note: ", re.MULTILINE)


class Ending(NamedTuple):
    """How a child ended."""

    code: int  # exit code; 128 + signal if a signal ended it, as a shell reports it
    out: str
    err: str
    seconds: float  # wall clock
    cpu: float  # seconds of processor, of the child and of its own children
    memory: int  # bytes at the peak, above what the parent had at the fork
    timed_out: bool


class Child:
    """A forked process that does some work, and its ending."""

    def __init__(
        self,
        work: Callable[[], int | None],
        folder: Path,
        *,
        environment: dict[str, str] | None = None,
        memory: int = MEMORY,
        file_bytes: int | None = None,
    ) -> None:
        """
        Args:
            work: returns the exit code; None is 0.
            folder: working directory of the child, created if missing.
            environment: more variables.
            memory: address space in bytes, beyond that of the parent; 0 for no limit.
            file_bytes: largest size of a file that it may write.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._output = Path(os.environ.get("TMPDIR", "/tmp")) / f"fault-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._output.mkdir()
        self._started, self._before = time.monotonic(), _resident_bytes()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            code = 1
            try:
                code = self._run(work, folder, environment or {}, memory, file_bytes)
            finally:
                os._exit(code)

    def _run(
        self,
        work: Callable[[], int | None],
        folder: Path,
        environment: dict[str, str],
        memory: int,
        file_bytes: int | None,
    ) -> int:
        """The life of the child."""
        os.setpgid(0, 0)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        # As in a process of its own, a signal after the work has ended has the system's effect.
        signals._is_command = lambda: True
        for descriptor, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(self._output / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), descriptor)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)
        os.chdir(folder)
        os.environ.update(environment)
        if memory:
            limit = _address_space() + memory
            resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        if file_bytes is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        try:
            code = work() or 0
        except SystemExit as stop:
            code = stop.code if isinstance(stop.code, int) else int(stop.code is not None)
        except KeyboardInterrupt:
            traceback.print_exc()
            code = 130
        except BaseException:
            traceback.print_exc()
            code = 1
        with suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        return code

    @property
    def printed(self) -> str:
        """What the child has written to stderr so far."""
        path = self._output / "err"
        return path.read_text(errors="replace") if path.exists() else ""

    def send(self, signum: int) -> None:
        """Send a signal, unless the child has ended."""
        with suppress(ProcessLookupError):
            os.kill(self.pid, signum)

    def running(self) -> bool:
        """Whether the child has not ended."""
        return not self._has_ended(0.0)

    def wait(self, seconds: float = SECONDS) -> Ending:
        """Wait for the end; after `seconds` by the clock the child and its children are killed."""
        timed_out = not self._has_ended(seconds)
        if timed_out:
            os.killpg(self.pid, signal.SIGKILL)
        _, status, usage = os.wait4(self.pid, 0)
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)  # its own children
        code = os.waitstatus_to_exitcode(status)
        out, err = (
            (self._output / name).read_text(errors="replace") if (self._output / name).exists() else ""
            for name in ("out", "err")
        )
        shutil.rmtree(self._output, ignore_errors=True)
        return Ending(
            code if code >= 0 else 128 - code,
            out,
            err,
            time.monotonic() - self._started,
            usage.ru_utime + usage.ru_stime,
            max(usage.ru_maxrss * 1024 - self._before, 0),
            timed_out,
        )

    def _has_ended(self, seconds: float) -> bool:
        descriptor = os.pidfd_open(self.pid)
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)


def call(
    main: Callable[[Sequence[str]], int],
    arguments: Sequence[str | Path],
    folder: Path,
    *,
    seconds: float = SECONDS,
    **options: Any,
) -> Ending:
    """Run `main` of a command in a child; `seconds` are of processor, options as of `Child`."""
    return Child(lambda: main([str(each) for each in arguments]), folder, **options).wait(WALL * seconds)


def _address_space() -> int:
    """Bytes of virtual memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _resident_bytes() -> int:
    """Bytes of memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


# -- what must hold at an end


def check_bounded(ending: Ending, *, seconds: float = SECONDS, memory: int = MEMORY) -> None:
    """Within the time and the memory that the case allows."""
    assert not ending.timed_out, f"still running after {ending.seconds:.0f} s"
    assert ending.cpu <= seconds, f"{ending.cpu:.1f} s of processor, allowed {seconds:.0f}"
    assert ending.memory <= memory, f"{ending.memory >> 20} MB of memory, allowed {memory >> 20}"


def check_quiet(ending: Ending) -> None:
    """No traceback, and no messages of libraries."""
    assert TRACEBACK not in ending.err, f"traceback, {exception_line(ending.err)}"
    if found := _LIBRARY.search(ending.err):
        line = next(line for line in ending.err[found.start() :].splitlines() if line.strip())
        raise AssertionError(f"message of a library: {line}")


def check_refused(ending: Ending, **bounds: Any) -> None:
    """A user's mistake: exit code 2 and one error line, the last one."""
    check_bounded(ending, **bounds)
    check_quiet(ending)
    assert ending.code == 2, f"exit code {ending.code}, expected 2: {last_line(ending.err)}"
    errors = [
        line for line in ending.err.splitlines() if re.match(r"(usage: )?speechvq\.[\w. ]+: error: ", line)
    ]
    assert len(errors) == 1, f"{len(errors)} error lines: {last_line(ending.err)}"
    assert ending.err.splitlines()[-1] == errors[0], "the error line is not the last one"


def check_done(ending: Ending, **bounds: Any) -> None:
    """Exit code 0, without a traceback or messages of libraries."""
    check_bounded(ending, **bounds)
    check_quiet(ending)
    assert ending.code == 0, f"exit code {ending.code}, expected 0: {last_line(ending.err)}"


def check_done_or_refused(ending: Ending, **bounds: Any) -> None:
    """Either result is right, as long as it is one of them."""
    if ending.code == 2:
        check_refused(ending, **bounds)
    else:
        check_done(ending, **bounds)


def exception_line(text: str) -> str:
    """The place and the exception of the last traceback."""
    lines = text[text.rindex(TRACEBACK) :].splitlines()[1:]
    place = [line.strip() for line in lines if line.startswith("  File ")][-1:]
    exception = next((line for line in lines if line and not line.startswith(" ")), "no exception")
    return " ".join([*place, exception])


def last_line(text: str) -> str:
    """The last line that is not empty."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "nothing printed")


def temporaries(folder: Path) -> list[str]:
    """Unfinished files and folders of `io.atomic` below a folder."""
    return [str(path.relative_to(folder)) for path in folder.rglob(".part-*")]


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its relative path."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
