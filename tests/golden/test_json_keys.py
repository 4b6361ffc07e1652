"""JSON files written by the commands have the recorded keys."""

from pathlib import Path

from golden import machine, subjects


def test_json_keys(tmp_path: Path) -> None:
    """Results of `evaluate`, training logs and descriptions of folders, line by line."""
    assert (
        subjects.json_keys(tmp_path)
        == (machine.FOLDER / "json_keys.txt").read_text(encoding="utf-8").splitlines()
    )
