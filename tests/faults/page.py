"""The results of a run of the matrix: printed lines, JSON, and the generated part of the reliability page."""

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from faults.case import Count
from faults.names import FAMILIES

BEGIN, END = "<!-- begin: written by tests/faults/run.sh -->", "<!-- end -->"
MAX_LISTED = 12  # failed cases of a family that the page lists


@dataclass(frozen=True)
class Report:
    """A run of the matrix."""

    counts: list[Count]
    command: str
    seed: int
    seconds: float


def print_count(title: str, count: Count) -> None:
    """Print the count of a family and its failed cases."""
    print(f"{title}: {count.held} of {count.tried} ({count.seconds:.0f} s)", flush=True)
    for failure in count.failures:
        print(f"  {failure.name}: {failure.reason}", flush=True)


def write_json_report(path: Path, report: Report) -> None:
    """Write a run as JSON."""
    families: dict[str, Any] = {
        count.family: {
            "held": count.held,
            "tried": count.tried,
            "seconds": round(count.seconds, 1),
            "notes": count.notes,
            "failures": [failure._asdict() for failure in count.failures],
        }
        for count in report.counts
    }
    content = {"command": report.command, "seed": report.seed, "machine": machine(), "families": families}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), encoding="utf-8")


def write_page(path: Path, report: Report) -> None:
    """Replace the rows of the families that were run between a page's markers; all else stays."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    generated, _, after = rest.partition(END)
    parts = read_parts(generated) | {count.family: part_of(count, report) for count in report.counts}
    text = join_parts([parts[family] for family in FAMILIES if family in parts])
    path.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}", encoding="utf-8")


class Part(NamedTuple):
    """What the page says of a family: a row of the table, and a list of what did not hold."""

    row: str
    failures: list[str]


def part_of(count: Count, report: Report) -> Part:
    """The part of a family from a run."""
    title = f"{FAMILIES[count.family]} (`{count.family}`)"
    form = "short form, " if "--short" in report.command else ""
    run = f"{form}{count.seconds:.0f} s, seed {report.seed}, {commit()}"
    row = f"| {title} | {count.held} of {count.tried} | {run} | {_cell(' '.join(count.notes))} |"
    lines = [f"- {_cell(each.name)}: {_cell(each.reason)}" for each in count.failures[:MAX_LISTED]]
    if len(count.failures) > MAX_LISTED:
        lines.append(f"- and {len(count.failures) - MAX_LISTED} more")
    heading = f"{title}, {len(count.failures)} not held:"
    return Part(row, [heading, "", *lines, ""] if lines else [])


def read_parts(generated: str) -> dict[str, Part]:
    """The parts of the families on a page."""
    parts: dict[str, Part] = {}
    family = ""
    for line in generated.splitlines():
        if found := _ROW.match(line):
            parts[found[1]] = Part(line, [])
        elif found := _HEADING.match(line):
            family = found[1]
        if family in parts and not line.startswith("|"):
            parts[family].failures.append(line)
    return parts


_ROW, _HEADING = re.compile(r"\| [^|`]*\(`(\w+)`\) \|"), re.compile(r"[^|`]*\(`(\w+)`\), \d+ not held:")
_COUNT = re.compile(r"\| (\d+) of (\d+) \|")


def join_parts(parts: list[Part]) -> str:
    """The generated text: the total, the table, and what did not hold."""
    counts = [_COUNT.search(part.row) for part in parts]
    held, tried = (sum(int(found[index]) for found in counts if found) for index in (1, 2))
    head = [f"{held} of {tried} cases hold. Last run on {machine()}.", ""]
    table = ["| family | held | run | what was tried |", "| --- | --- | --- | --- |"]
    failures = [line for part in parts for line in part.failures]
    return "\n".join([*head, *table, *(part.row for part in parts), "", *failures]).rstrip() + "\n"


def commit() -> str:
    """Short name of the commit that was run; a changed tree is marked."""
    words = ["git", "describe", "--always", "--dirty", "--exclude=*"]
    found = subprocess.run(words, cwd=Path(__file__).parent, capture_output=True, text=True)
    return f"commit {found.stdout.strip()}" if found.returncode == 0 else "no commit"


def machine() -> str:
    """Cores, system and Python of this machine."""
    load = os.getloadavg()[2]
    return (
        f"{os.cpu_count()} cores (load {load:.1f} over its last 15 minutes), {platform.system()}, Python "
        f"{platform.python_version()}"
    )


def _cell(text: str) -> str:
    """Text for a cell of a table: no line breaks, bars, markup or unprintable characters."""
    plain = re.sub(r"\s+", " ", text).encode("ascii", "backslashreplace").decode()
    return re.sub(r"([|<>*_`])", r"\\\1", "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain))
