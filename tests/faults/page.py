"""The results of a run of the matrix: printed lines, JSON, and the generated part of the reliability page."""

import json
import os
import platform
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from faults.case import Count

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
    """Replace the part of a page between its markers; the rest stays."""
    page = path.read_text(encoding="utf-8") if path.exists() else f"{BEGIN}\n{END}\n"
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    path.write_text(f"{before}{BEGIN}\n\n{table(report)}\n{END}{after}", encoding="utf-8")


def table(report: Report) -> str:
    """The generated part: the command, a row for each family, and what did not hold."""
    from faults.__main__ import FAMILIES

    held, tried = (sum(getattr(count, name) for count in report.counts) for name in ("held", "tried"))
    rows = [
        f"| {FAMILIES[count.family]} (`{count.family}`) | {count.held} of {count.tried} | "
        f"{count.seconds:.0f} | {_cell(' '.join(count.notes))} |"
        for count in report.counts
    ]
    lines = [
        f"`{report.command}`: {held} of {tried} in {report.seconds:.0f} s, seed {report.seed}, on "
        f"{machine()}.",
        "",
        "| family | held | seconds | what was tried |",
        "| --- | --- | --- | --- |",
        *rows,
        "",
    ]
    for count in report.counts:
        if count.failures:
            lines += [f"{FAMILIES[count.family]}, {len(count.failures)} not held:", ""]
            lines += [f"- {_cell(each.name)}: {_cell(each.reason)}" for each in count.failures[:MAX_LISTED]]
            if len(count.failures) > MAX_LISTED:
                lines.append(f"- and {len(count.failures) - MAX_LISTED} more")
            lines.append("")
    return "\n".join(lines)


def machine() -> str:
    """Cores, system and Python of this machine."""
    load = os.getloadavg()[2]
    return (
        f"{os.cpu_count()} cores (load {load:.1f} over the last 15 minutes), {platform.system()}, Python "
        f"{platform.python_version()}"
    )


def _cell(text: str) -> str:
    """Text for a cell of a table: no line breaks, bars, markup or unprintable characters."""
    plain = re.sub(r"\s+", " ", text).encode("ascii", "backslashreplace").decode()
    return re.sub(r"([|<>*_`])", r"\\\1", "".join(c if c.isprintable() else repr(c)[1:-1] for c in plain))
