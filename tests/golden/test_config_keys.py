"""All configurations have the recorded keys, defaults and bounds."""

from golden import machine, subjects


def test_config_keys() -> None:
    """The list equals config_keys.txt line by line."""
    assert (
        subjects.config_keys()
        == (machine.FOLDER / "config_keys.txt").read_text(encoding="utf-8").splitlines()
    )
