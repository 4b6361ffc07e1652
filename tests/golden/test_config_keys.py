"""Every kind of configuration has the keys, defaults and bounds that were recorded."""

from golden import machine, subjects


def test_config_keys() -> None:
    """Line by line."""
    assert (
        subjects.config_keys()
        == (machine.FOLDER / "config_keys.txt").read_text(encoding="utf-8").splitlines()
    )
