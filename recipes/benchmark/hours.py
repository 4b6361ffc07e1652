"""Processor time and memory of `prepare` and `encode` against hours of speech and the number of files.

Recordings are made by repeating one. Each command runs on one core, with its start-up. A line is fitted to
its processor seconds through the hours; the slope is the speed. The peak is the resident memory of the
largest process. It takes a core for 15 minutes at the default sizes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, read_waveform, write_waveform
from speechvq.io.atomic import write_json

ROOT = Path(__file__).parents[2]
SPEECH = ROOT / "docs/enroll.flac"  # 14 s
SPEAKERS, FILE_SECONDS = 10, 10.0
HOURS = (0.1, 0.3, 1.0, 3.0, 10.0)
Row = dict[str, Any]


def build_parser() -> argparse.ArgumentParser:
    """The script's flags."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, nargs="+", default=HOURS, help="of speech")
    parser.add_argument(
        "--seconds", type=float, nargs="+", default=(2.0, 10.0, 40.0), help="of a file, at --files-hours"
    )
    parser.add_argument(
        "--files-hours", type=float, default=0.3, help="of speech, in files of --seconds each"
    )
    parser.add_argument("--json", type=Path, required=True, help="write the numbers to this file")
    return parser


def main() -> None:
    """Measure every size and print a row each, then the fits."""
    arguments = build_parser().parse_args()
    cases = [(hours, FILE_SECONDS) for hours in arguments.hours]
    cases += [(arguments.files_hours, seconds) for seconds in arguments.seconds]
    rows = []
    for hours, seconds in cases:
        rows += measure(hours, seconds)
        for row in rows[-2:]:
            print(line(row), flush=True)
    by_hours = rows[: len(COMMANDS) * len(arguments.hours)]
    fits = {name: fit([row for row in by_hours if row["command"] == name]) for name in COMMANDS}
    for name, found in fits.items():
        print(
            f"{name}: {found['start_seconds']:.1f} s, then {found['x_real_time']:.0f} x real time; "
            f"the line is at most {found['error']:.1%} off"
        )
    write_json(arguments.json, {"rows": rows, "fits": fits})


def measure(hours: float, seconds: float) -> list[Row]:
    """Both commands on `hours` of speech in files of `seconds`."""
    count, rows = max(round(3600 * hours / seconds), 1), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_corpus(folder / "corpus", count, seconds)
        for command, arguments in COMMANDS.items():
            spent, peak = run([word.format(folder=folder) for word in arguments])
            row = {"command": command, "hours": count * seconds / 3600, "files": count}
            rows.append(row | {"seconds": spent, "peak_mib": peak})
    return rows


# --keep-silence, so that all commands and sizes have the same seconds of speech.
COMMANDS = {
    "prepare": "prepare folder --root {folder}/corpus --out {folder}/data --jobs 1 --keep-silence".split(),
    "encode": "encode --src {folder}/data --out {folder}/codes".split(),
}


def make_corpus(folder: Path, count: int, seconds: float) -> None:
    """Files of SPEAKERS speakers, which share their content: another name of the same file."""
    speech = np.resize(read_waveform(SPEECH), round(seconds * SAMPLE_RATE))
    for number in range(count):
        path = folder / f"s{number % SPEAKERS}" / f"{number:06}.wav"
        if number < SPEAKERS:
            path.parent.mkdir(parents=True, exist_ok=True)
        if number:
            os.link(folder / "s0/000000.wav", path)
        else:
            write_waveform(path, speech)


def run(arguments: list[str]) -> tuple[float, float]:
    """Processor seconds and peak MiB of a command of the package, on one core."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    process = subprocess.Popen(
        [sys.executable, "-m", f"speechvq.{arguments[0]}", *arguments[1:]],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert process.stderr is not None
    message = process.stderr.read().decode()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{' '.join(arguments)}: {message[-2000:]}")
    return usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def fit(rows: list[Row]) -> dict[str, float]:
    """A line through processor seconds against hours, weighted by their inverse, and its largest error."""
    hours, seconds = (np.array([row[key] for row in rows]) for key in ("hours", "seconds"))
    if len(rows) < 2:
        return {"x_real_time": float(3600 * hours[0] / seconds[0]), "start_seconds": 0.0, "error": 0.0}
    slope, start = np.polyfit(hours, seconds, 1, w=1 / seconds)
    error = float((np.abs(slope * hours + start - seconds) / seconds).max())
    return {"x_real_time": float(3600 / slope), "start_seconds": float(start), "error": error}


def line(row: Row) -> str:
    """A row of the Markdown table."""
    speed = 3600 * row["hours"] / row["seconds"]
    return (
        f"| {row['command']} | {row['hours']:.2f} | {row['files']:,} | {row['seconds']:.1f} | {speed:.0f} "
        f"| {row['peak_mib']:.0f} |"
    )


if __name__ == "__main__":
    main()
