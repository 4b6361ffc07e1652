"""Constructors of PyYAML raise ValueError and KeyError, so a mistyped date gave a traceback."""

from pathlib import Path

import pytest

from speechvq.config import SpeechRun, load
from speechvq.errors import UserError


@pytest.mark.parametrize("value", ["2024-99-99", "!!timestamp x", "!!bool x", "!!int ''", "9" * 9000])
def test_an_invalid_scalar_is_a_user_error(tmp_path: Path, value: str) -> None:
    (tmp_path / "run.yaml").write_text(f"train: {{steps: {value}}}")
    with pytest.raises(UserError, match="not valid YAML"):
        load(tmp_path / "run.yaml", SpeechRun)
