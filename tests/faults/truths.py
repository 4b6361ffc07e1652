"""Properties that are proved by unit tests: the family runs them by their pytest node ids and counts."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

from faults.case import Case, Setting

ROOT = Path(__file__).resolve().parents[2]


def cases_of(nodes: Sequence[str], setting: Setting) -> Iterator[Case]:
    """A case for each test below some pytest node ids. All run in one process, before the first case.

    In the short form the nodes are only checked to exist: the test suite runs them anyway.
    """
    if setting.short:
        yield from (Case(node, lambda node=node: check_exists(node)) for node in nodes)  # type: ignore[misc]
        return
    report = setting.folder / "junit.xml"
    command = [sys.executable, "-m", "pytest", "-n", "0", "-p", "no:cacheprovider", f"--junitxml={report}"]
    ended = subprocess.run(
        [*command, *nodes], cwd=ROOT, env=os.environ, text=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    if not report.exists():
        yield Case("all", lambda: fail(ended.stdout[-300:] + ended.stderr[-300:]))
        return
    for test in ElementTree.parse(report).getroot().iter("testcase"):
        problems = [
            each.get("message") or each.tag for each in test if each.tag in ("failure", "error", "skipped")
        ]
        name = f"{test.get('classname')}::{test.get('name')}"
        yield Case(name, lambda problems=problems: fail(*problems))  # type: ignore[misc]


def fail(*problems: str) -> None:
    """Raise if there are problems. A skipped test counts as one: it proves nothing."""
    assert not problems, problems[0]


def check_exists(node: str) -> None:
    """The file of a node id exists and has the test."""
    path, _, name = node.partition("::")
    text = Path(ROOT / path).read_text(encoding="utf-8")
    assert not name or f"def {name}(" in text, f"{path} has no {name}"
