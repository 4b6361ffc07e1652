"""Run the fault matrix: `bash tests/faults/run.sh`, see `--help`."""

import argparse
import contextlib
import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from faults.case import Count, Failure, Setting, run_cases
from faults.names import FAMILIES
from faults.page import Report, print_count, write_json_report, write_page


class Running(NamedTuple):
    """A family in its own process."""

    family: str
    pid: int
    result: Path
    started: float


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code 0 if every case held, else 1."""
    arguments = build_parser().parse_args(argv)
    families = arguments.family or list(FAMILIES)
    started = time.monotonic()
    importlib.import_module("faults.runs")  # the package, torch and its optimizers, once for all families
    scratch = Path(tempfile.mkdtemp(prefix="faults-"))
    # Children inherit a handler of Ctrl-C, also where a shell started this command in the background.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # ends the children too
    try:
        counts = run_families(families, scratch, arguments)
    finally:
        unmount_below(scratch)
        shutil.rmtree(scratch, ignore_errors=True)
    ordered = [counts[family] for family in FAMILIES if family in counts]
    command = shell_command(arguments)
    report = Report(ordered, command, arguments.seed, time.monotonic() - started)
    if arguments.out is not None:
        (write_json_report if arguments.out.suffix == ".json" else write_page)(arguments.out, report)
    held, tried = sum(count.held for count in ordered), sum(count.tried for count in ordered)
    print(f"{held} of {tried} in {report.seconds:.0f} s, seed {arguments.seed}")
    return int(held != tried)


def unmount_below(folder: Path) -> None:
    """Unmount what a family that was killed left mounted."""
    places = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for place in places:
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False)


def build_parser() -> argparse.ArgumentParser:
    """The command's flags."""
    parser = argparse.ArgumentParser("tests/faults/run.sh", description=__doc__)
    parser.add_argument(
        "--family", action="append", choices=FAMILIES, help="a family; repeatable (default: all)"
    )
    parser.add_argument(
        "--short", action="store_true", help="a few cases of each family, some tens of seconds"
    )
    parser.add_argument("--seed", type=int, default=0, help="of all random choices (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=2, help="families at once (default: %(default)s)")
    parser.add_argument(
        "--minutes", type=float, default=30.0, help="limit of the whole run (default: %(default)s)"
    )
    parser.add_argument(
        "--out",
        type=Path,
        help="page whose rows of these families are replaced, or a .json file (default: none)",
    )
    return parser


def shell_command(arguments: argparse.Namespace) -> str:
    """The command that gives the same cases."""
    words = ["bash tests/faults/run.sh"]
    words += [f"--family {family}" for family in arguments.family or []]
    words += ["--short"] if arguments.short else []
    words += [f"--seed {arguments.seed}"] if arguments.seed else []
    words += [f"--jobs {arguments.jobs}"] if arguments.jobs != 2 else []
    return " ".join(words)


def run_families(families: Sequence[str], scratch: Path, arguments: argparse.Namespace) -> dict[str, Count]:
    """The count of each family; `--jobs` run side by side, each in a process of its own."""
    end = time.monotonic() + 60 * arguments.minutes
    waiting, running, counts = list(families), list[Running](), dict[str, Count]()
    try:
        while waiting or running:
            while waiting and len(running) < arguments.jobs:
                running.append(_start(waiting.pop(0), scratch, arguments))
            for each in list(running):
                ended = os.waitpid(each.pid, os.WNOHANG)[0]
                if not ended and time.monotonic() < end:
                    continue
                if not ended:
                    _kill(each)
                running.remove(each)
                counts[each.family] = _result(each, bool(ended))
                print_count(FAMILIES[each.family], counts[each.family])
                shutil.rmtree(scratch / each.family, ignore_errors=True)
            time.sleep(0.05)
    finally:
        for each in running:
            _kill(each)
    return counts


def _start(family: str, scratch: Path, arguments: argparse.Namespace) -> Running:
    """Fork a process that runs the cases of a family and writes its count."""
    result, started = scratch / f"{family}.json", time.monotonic()
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            folder = scratch / family
            folder.mkdir()
            count = count_family(family, Setting(folder, arguments.seed, arguments.short))
            result.write_text(json.dumps(_as_json(count)))
            code = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    with contextlib.suppress(OSError):  # the child does it, too: whoever is first
        os.setpgid(pid, pid)
    return Running(family, pid, result, started)


def count_family(family: str, setting: Setting) -> Count:
    """Run the cases of a family in this process."""
    module = importlib.import_module(f"faults.families.{family}")
    count = run_cases(family, module.cases(setting))
    count.notes = [module.TRIED, *getattr(module, "NOTES", [])]
    return count


def _kill(running: Running) -> None:
    """End a family and its children; a child in a group of its own ends with its time limit."""
    os.killpg(running.pid, signal.SIGKILL)
    os.waitpid(running.pid, 0)


def _result(running: Running, ended: bool) -> Count:
    """The count that a family wrote; without one, the family is a failed case."""
    if running.result.exists():
        return _from_json(json.loads(running.result.read_text()))
    reason = "its process ended without a result" if ended else "did not end within the limit of the run"
    seconds = time.monotonic() - running.started
    return Count(running.family, 1, [Failure("the family itself", reason)], seconds)


def _as_json(count: Count) -> dict[str, Any]:
    return vars(count) | {"failures": [each._asdict() for each in count.failures]}


def _from_json(content: dict[str, Any]) -> Count:
    return Count(**content | {"failures": [Failure(**each) for each in content["failures"]]})


if __name__ == "__main__":
    raise SystemExit(main())
