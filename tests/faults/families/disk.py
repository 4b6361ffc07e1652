"""Every command that writes, on a full disk, on one that fills up, and on a read-only one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from faults.bench import WRITERS, Bench, call_quietly, check_whole
from faults.case import Case, Setting
from faults.child import Ending, call, check_done, check_done_or_refused, check_refused, contents

TRIED = (
    "Every command that writes: into an empty folder of a read-only file system, with no byte free, "
    "with 4 to 256 kB free, with no file allowed to grow beyond 2,000 bytes, and over earlier results. "
    "Either it succeeds or it ends in one line; no file is half-written, nothing unfinished remains, "
    "and earlier results stay whole. A file where a folder should be."
)
NOTES: list[str] = []
SIZE = 64 << 20  # bytes of the small file system
FREE = (4, 0, 32, 256)  # kB that are free at the start of a command
DISK_SECONDS = 90.0


def cases(setting: Setting) -> Iterator[Case]:
    """Every writer in every state of the disk."""
    bench, disk = Bench(setting.folder / "bench"), setting.folder / "disk"
    disk.mkdir()
    writers = setting.some(WRITERS, 3)
    with small_disk(disk) as mounted:
        for name in writers:
            before = setting.folder / "earlier" / name
            yield Case(f"{name}, on a good disk", lambda n=name, b=before: check_good(bench, n, b))  # type: ignore
            if mounted:
                for free in setting.some(FREE, 1):
                    yield Case(
                        f"{name}, {free} kB free",
                        lambda n=name, f=free, b=before: check_full(bench, n, disk, f, b),  # type: ignore
                    )
                yield Case(f"{name}, read-only", lambda n=name: check_read_only(bench, n, disk))  # type: ignore
            yield Case(
                f"{name}, files of 2,000 bytes at most",
                lambda n=name: check_limit(bench, n, setting.folder / "limit" / n),  # type: ignore
            )
            yield Case(
                f"{name}, a file where a folder should be",
                lambda n=name: check_file(bench, n, setting.folder / "file" / n),  # type: ignore
            )


@contextmanager
def small_disk(disk: Path) -> Iterator[bool]:
    """A file system in memory at a folder, if this user may mount one."""
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(disk)], capture_output=True
    )
    mounted = mount.returncode == 0
    NOTES.append(
        "The disk is a mounted tmpfs." if mounted else "Not root: no disk could be mounted, only size limits."
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", str(disk)], check=False)


def run(bench: Bench, name: str, out: Path, **options: int) -> Ending:
    """Run a writer in a child."""
    command = bench.command(name, out)
    folder = bench.folder / "work"
    return call(command.main, command.arguments, folder, seconds=DISK_SECONDS, memory=0, **options)


def check_good(bench: Bench, name: str, out: Path) -> None:
    """The writer works at all; its results are the earlier ones of other cases."""
    command = bench.command(name, bench.folder / "warm" / name)
    if not name.startswith("train"):
        call_quietly(command)
    check_done(run(bench, name, out), seconds=DISK_SECONDS, memory=4 << 30)
    check_whole(out)


def check_full(bench: Bench, name: str, disk: Path, free: int, earlier: Path) -> None:
    """Little space, once with nothing and once with earlier results there."""
    for place in ("new", "again"):
        clear(disk)
        out = disk / place
        if place == "again":
            shutil.copytree(earlier, out)
            for path in list(out.rglob("manifest.tsv")):  # so that there is something to do
                path.unlink()
        before = contents(out) if out.exists() else {}
        fill(disk, free * 1024)
        ending = run(bench, name, out)
        check_done_or_refused(ending, seconds=DISK_SECONDS, memory=4 << 30)
        if ending.code == 2:
            assert "space" in ending.err or "No space" in ending.err, f"no reason: {ending.err[-200:]}"
        (disk / "filling").unlink()
        check_whole(out)
        gone = before.keys() - contents(out).keys()
        kept = {each for each in gone if "checkpoints" not in each and "problems" not in each}
        assert not kept, f"earlier results are gone: {sorted(kept)[0]}"


def check_read_only(bench: Bench, name: str, disk: Path) -> None:
    """A read-only file system."""
    clear(disk)
    (disk / "out").mkdir()
    bench.command(name, disk / "out")
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    try:
        ending = run(bench, name, disk / "out")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
    check_refused(ending, seconds=DISK_SECONDS, memory=4 << 30)
    assert str(disk) in ending.err, f"the message names no path: {ending.err[-200:]}"
    assert not contents(disk), "something was written"


def check_limit(bench: Bench, name: str, out: Path) -> None:
    """A size limit on files: writing fails with another error than on a full disk."""
    ending = run(bench, name, out, file_bytes=2_000)
    check_done_or_refused(ending, seconds=DISK_SECONDS, memory=4 << 30)
    if out.exists():
        check_whole(out)


def check_file(bench: Bench, name: str, out: Path) -> None:
    """A file in the place of the output's folder."""
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("mine")
    ending = run(bench, name, out)
    check_refused(ending, seconds=DISK_SECONDS, memory=4 << 30)
    assert out.read_text() == "mine", "the file was replaced"
    assert str(out) in ending.err, f"the message names no path: {ending.err[-200:]}"


def clear(disk: Path) -> None:
    """Remove everything below a folder."""
    for path in disk.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def fill(disk: Path, free: int) -> None:
    """Write zeros until this many bytes are free."""
    status = os.statvfs(disk)
    size = status.f_bavail * status.f_frsize - free
    with open(disk / "filling", "wb") as file, suppress(OSError):
        os.posix_fallocate(file.fileno(), 0, max(size, 1))
