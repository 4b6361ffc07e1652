"""The journal of finished results: what counts as unchanged, and damaged or concurrent lines."""

import os
import shutil
from pathlib import Path

import pytest

from helpers.tiny import python
from speechvq.io.journal import FILE_NAME, Finished, Journal, read_state

LONG_AGO = 1_600_000_000


def write(path: Path, content: bytes, date: int = LONG_AGO) -> Path:
    path.write_bytes(content)
    os.utime(path, (date, date))
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return write(tmp_path / "a.wav", b"sound")


def journal(tmp_path: Path, **settings: object) -> Journal:
    return Journal(tmp_path / "out", settings or {"seed": 1})


def finish(tmp_path: Path, source: Path, **options: object) -> Finished:
    """Make the result `a` and return the journal as a later call reads it."""
    out = tmp_path / "out/a.npy"
    out.parent.mkdir(exist_ok=True)
    out.write_bytes(b"codes")
    journal(tmp_path).add("a", read_state([source]), [out], **options)  # type: ignore[arg-type]
    return journal(tmp_path).read()


def test_an_unchanged_result_is_found_with_its_details(tmp_path: Path, source: Path) -> None:
    assert journal(tmp_path).read().find("a", [source]) is None
    entry = finish(tmp_path, source, details={"seconds": 1.5}).find("a", [source])
    assert entry is not None and entry.details == {"seconds": 1.5}


def test_changed_inputs_settings_and_files_are_noticed(tmp_path: Path, source: Path) -> None:
    finished = finish(tmp_path, source)
    other = write(tmp_path / "b.wav", b"other")
    assert finished.find("a", [other]) is None and finished.find("a", [source, other]) is None
    assert finished.find("b", [source]) is None and "a" in finished and "b" not in finished
    assert finished.find("a", [source], settings="of this one") is None
    assert journal(tmp_path, seed=2).read().find("a", [source]) is None
    (tmp_path / "out/a.npy").write_bytes(b"cod")  # truncated by a power cut
    assert finished.find("a", [source]) is None
    (tmp_path / "out/a.npy").unlink()
    assert finished.find("a", [source]) is None


@pytest.mark.parametrize("date", [LONG_AGO - 9_999, LONG_AGO + 9_999])
def test_content_of_equal_size_and_another_date(date: int, tmp_path: Path, source: Path) -> None:
    finished = finish(tmp_path, source)
    write(source, b"noise", date)
    assert finished.find("a", [source]) is None
    write(source, b"sound", date)  # touched, or restored
    assert finished.find("a", [source]) is not None
    source.unlink()
    assert finished.find("a", [source]) is None


def test_an_edit_within_the_step_of_the_clock(tmp_path: Path) -> None:
    """The file system may give it the same date."""
    source = tmp_path / "a.wav"
    source.write_bytes(b"sound")
    status = source.stat()
    finished = finish(tmp_path, source)
    source.write_bytes(b"noise")
    os.utime(source, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert finished.find("a", [source]) is None


def test_a_moved_corpus_is_unchanged(tmp_path: Path, source: Path) -> None:
    finished = finish(tmp_path, source)
    (tmp_path / "elsewhere").mkdir()
    assert finished.find("a", [Path(shutil.move(source, tmp_path / "elsewhere/a.wav"))]) is not None


def test_files_that_people_correct_may_have_any_size(tmp_path: Path, source: Path) -> None:
    lab = tmp_path / "out/a.lab"
    lab.parent.mkdir()
    lab.write_text("0 1 AA")
    finished = finish(tmp_path, source, editable=[lab])
    lab.write_text("0 1 B, corrected")
    assert finished.find("a", [source]) is not None
    lab.write_text("")
    assert finished.find("a", [source]) is None


@pytest.mark.parametrize("damage", [b'{"name": "a", "settings"', b"\xff\xfe", b"[1]", b"7", b"[" * 9_999])
def test_incomplete_and_foreign_lines_are_ignored(damage: bytes, tmp_path: Path, source: Path) -> None:
    finish(tmp_path, source)
    path = tmp_path / "out" / FILE_NAME
    path.write_bytes(damage + b"\n" + path.read_bytes() + damage)
    assert journal(tmp_path).read().find("a", [source]) is not None
    journal(tmp_path).add("b", read_state([source]), [])  # after the torn line
    finished = journal(tmp_path).read()
    assert finished.find("a", [source]) is not None and finished.find("b", [source]) is not None


APPEND = """
import sys
from pathlib import Path
from speechvq.io.journal import Inputs, Journal
journal = Journal(Path(sys.argv[1]), {})
for i in range(300):
    journal.add(f"{sys.argv[2]} {i} " + "x" * i, Inputs((), 0), [])
"""


def test_two_processes_append_whole_lines(tmp_path: Path) -> None:
    processes = [python("-c", APPEND, str(tmp_path), str(number)) for number in range(2)]
    assert [process.communicate()[1] for process in processes] == ["", ""]
    finished = Journal(tmp_path, {}).read()
    assert all(f"{n} {i} " + "x" * i in finished for n in range(2) for i in range(300))
