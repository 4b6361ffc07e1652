"""Without python3-venv, Python leaves a .venv without pip. The second call used it and failed in pip."""

import os
from pathlib import Path

from project.test_recipes import shell, stub


def test_a_virtual_environment_without_pip_is_created_again(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    stub(tmp_path / ".venv/bin/python", "exit 1")
    stubs = stub(tmp_path / "bin/python3", f'[ "$1" = -c ] || echo "$*" >>"{tmp_path}/calls"; [ "$1" = -c ]')
    done = shell("setup mini", cwd=tmp_path, PATH=f"{stubs}:{os.environ['PATH']}")
    assert (tmp_path / "calls").read_text() == "-m venv .venv\n"
    assert done.returncode == 2 and "apt-get install python3-venv" in done.stderr
