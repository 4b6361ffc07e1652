"""All commands have the recorded flags and defaults."""

from golden import machine, subjects


def test_flags() -> None:
    """The list equals flags.txt line by line."""
    assert subjects.flags() == (machine.FOLDER / "flags.txt").read_text(encoding="utf-8").splitlines()
