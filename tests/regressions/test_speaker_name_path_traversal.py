"""A model directory could name a speaker `../x`, and conversions are written to a folder of that name."""

from pathlib import Path

import pytest

from helpers.tiny import speech_model
from speechvq.errors import UserError
from speechvq.speech.model import load_model
from speechvq.speech.model_directory import save_model


def test_such_a_model_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path, speech_model())
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("- bob", "- ../bob"))
    with pytest.raises(UserError, match="cannot name a folder"):
        load_model(tmp_path)
