"""The short form of the matrix, a few cases of each family; and its page."""

from pathlib import Path

import pytest

from faults import page
from faults.__main__ import build_parser, shell_command
from faults.case import Case, Count, Failure, Setting, run_cases
from faults.names import FAMILIES
from faults.page import Report
from helpers.tiny import ROOT, python

ELSEWHERE = {"hostile"}  # test_hostile.py has its short form


def test_every_case_of_the_short_form_holds() -> None:
    """In a process of its own: children are forked, which a process of the test suite should not do."""
    families = [family for family in FAMILIES if family not in ELSEWHERE]
    words = [word for family in families for word in ("--family", family)]
    process = python("-m", "faults", "--short", "--jobs", "1", *words)
    printed, error = process.communicate(timeout=900)
    assert process.returncode == 0, printed + error


def test_a_failed_case_is_counted_and_named() -> None:
    def fail() -> None:
        raise AssertionError("two\nlines")

    def crash() -> None:
        raise OSError("gone")

    count = run_cases("disk", [Case("good", lambda: None), Case("bad", fail), Case("worse", crash)])
    assert (count.held, count.tried) == (1, 3)
    assert count.failures == [Failure("bad", "two lines"), Failure("worse", "OSError: gone")]


def test_the_page_keeps_its_prose_and_the_rows_of_other_families(tmp_path: Path) -> None:
    path = tmp_path / "page.md"
    path.write_text(f"before\n\n{page.BEGIN}\n{page.END}\n\nafter\n")

    def write(family: str, tried: int, failures: int, seed: int = 0) -> str:
        failed = [Failure(f"{family} {number}", "a | b") for number in range(failures)]
        count = Count(family, tried, failed, 1.4, ["Every command."])
        page.write_page(path, Report([count], "bash tests/faults/run.sh", seed, 2.0))
        return path.read_text()

    write("nan", 9, 1)
    write("disk", 20, page.MAX_LISTED + 2)
    text = write("nan", 8, 1, seed=3)
    assert text.startswith(f"before\n\n{page.BEGIN}") and text.endswith(f"{page.END}\n\nafter\n")
    assert "13 of 28 cases hold." in text and text.count("| NaN and Inf (`nan`) |") == 1
    assert (
        "| Disk full or read-only (`disk`) | 6 of 20 | 1 s, seed 0, " in text and "Every command. |" in text
    )
    assert "- disk 0: a \\| b" in text and "- and 2 more" in text and "1 s, seed 3" in text
    assert text.count("(`nan`), 1 not held:") == 1 and text.index("disk 0") < text.index("nan 0")
    text = write("disk", 20, 0)
    assert "disk 0" not in text and "27 of 28" in text and "- nan 0: a" in text


def test_every_family_has_a_module_and_a_description() -> None:
    modules = {path.stem for path in (ROOT / "tests/faults/families").glob("*.py")} - {"__init__"}
    assert modules == set(FAMILIES)


@pytest.mark.parametrize("words", ["--short", "--family disk --family kill --seed 4", "--jobs 1"])
def test_the_printed_command_is_the_one_that_was_given(words: str) -> None:
    assert shell_command(build_parser().parse_args(words.split())) == f"bash tests/faults/run.sh {words}"


def test_the_short_form_takes_a_few_of_many(tmp_path: Path) -> None:
    items = list(range(100))
    assert Setting(tmp_path, short=True).some(items, 3) == [0, 49, 99]
    assert Setting(tmp_path).some(items, 3) == items
