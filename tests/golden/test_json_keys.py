"""What commands write as JSON has the keys that were recorded."""

from pathlib import Path

from golden import machine, subjects


def test_json_keys(tmp_path: Path) -> None:
    """Line by line; of measurements, of training logs and of what describes a folder."""
    assert (
        subjects.json_keys(tmp_path)
        == (machine.FOLDER / "json_keys.txt").read_text(encoding="utf-8").splitlines()
    )
