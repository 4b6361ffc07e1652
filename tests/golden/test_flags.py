"""Every command's flags and their defaults are those that were recorded."""

from golden import machine, subjects


def test_flags() -> None:
    """Line by line."""
    assert subjects.flags() == (machine.FOLDER / "flags.txt").read_text(encoding="utf-8").splitlines()
