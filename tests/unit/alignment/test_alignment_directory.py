"""Alignment files of all formats in one folder, found by utterance; ambiguous or empty files are refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.errors import UserError
from unit.alignment.test_textgrid import long_form

TWO = [Interval(0.0, 0.1, "AA"), Interval(0.1, 0.25, "SIL")]


def write_textgrid(path: Path, **tiers: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    default = {"words": [(0, 0.25, "a")], "phones": [(0, 0.1, "AA"), (0.1, 0.25, "")]}
    path.write_text(long_form(tiers or default))


def test_all_formats_are_read_by_utterance_at_any_depth(tmp_path: Path) -> None:
    write_lab(tmp_path / "s1" / "a.lab", TWO)
    write_lab(tmp_path / "s2" / "deeper" / "b.LAB", TWO[:1])
    write_textgrid(tmp_path / "s 3" / "ü.TextGrid")
    write_textgrid(tmp_path / "d.textgrid")
    (tmp_path / "rest.ctm").write_text("e 1 0 0.1 AA\ne 1 0.1 0.15 SIL\nf 1 0 0.1 AA\n")
    (tmp_path / "s1" / "notes.txt").write_text("not an alignment")
    (tmp_path / "s1" / "._a.lab").write_bytes(b"\0\5\x16\7")  # a hidden file of macOS
    (tmp_path / "folder.lab").mkdir()
    expected = {"a": TWO, "b": TWO[:1], "ü": TWO, "d": TWO, "e": TWO, "f": TWO[:1]}
    assert open_alignments(tmp_path).read_all() == expected
    assert open_alignments(tmp_path / "rest.ctm").read_all() == {"e": TWO, "f": TWO[:1]}
    assert list(open_alignments(tmp_path / "s1" / "a.lab").places) == ["a"]


def test_the_tier_can_be_selected(tmp_path: Path) -> None:
    write_textgrid(tmp_path / "a.TextGrid")
    assert open_alignments(tmp_path, tier="words").read("a") == [Interval(0.0, 0.25, "a")]
    with pytest.raises(UserError, match="named 'syllables'; its tiers are 'words', 'phones'"):
        open_alignments(tmp_path, tier="syllables").read("a")


def lab_twice(folder: Path) -> None:
    write_lab(folder / "a.lab", TWO)
    write_lab(folder / "a.LAB", TWO)


def lab_and_textgrid(folder: Path) -> None:
    write_lab(folder / "a.lab", TWO)
    write_textgrid(folder / "a.TextGrid")


def lab_and_ctm(folder: Path) -> None:
    write_lab(folder / "z" / "a.lab", TWO)
    (folder / "corpus.ctm").write_text("b 1 0 1 X\na 1 0 1 X\n")


@pytest.mark.parametrize("make", [lab_twice, lab_and_textgrid, lab_and_ctm])
def test_two_files_of_one_utterance_are_refused(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(UserError, match="both belong to the utterance a; keep one"):
        open_alignments(tmp_path).read_all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no alignments below; expected files ending in .lab, .phn, .textgrid, .ctm"),
        (lambda folder: folder.rmdir(), "no such folder; give the folder of the alignments"),
        (lambda folder: (folder / "a.lab").touch(), "a.lab: holds no intervals"),
        (lambda folder: (folder / "a.lab").write_text("\n \n"), "a.lab: holds no intervals"),
        (lambda folder: (folder / "a.ctm").touch(), "a.ctm: holds no intervals"),
        (lambda folder: (folder / "a.TextGrid").touch(), "a.TextGrid, line 1: the file ends before"),
        (lambda folder: write_textgrid(folder / "a.TextGrid", phones=[]), "a.TextGrid: holds no intervals"),
        (lambda folder: os.mkfifo(folder / "a.lab"), "a.lab: neither a file nor a folder"),
        (lambda folder: (folder / "a.ctm").symlink_to("nowhere"), "a.ctm: neither a file nor a folder"),
    ],
)
def test_an_unreadable_file_is_named(make: Callable[[Path], Any], message: str, tmp_path: Path) -> None:
    make(tmp_path)
    with pytest.raises(UserError, match=message):
        open_alignments(tmp_path).read_all()
