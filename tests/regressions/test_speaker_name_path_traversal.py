"""A speaker of a model could be named `../x`, and `convert` writes to a folder of that name."""

from pathlib import Path

import pytest

from helpers.tiny import speech_model
from speechvq.errors import UserError
from speechvq.speech.model import load_model
from speechvq.speech.model_directory import save_model


def test_a_speaker_name_with_a_path_is_refused(tmp_path: Path) -> None:
    save_model(tmp_path, speech_model())
    config = tmp_path / "config.yaml"
    config.write_text(config.read_text().replace("- bob", "- ../bob"))
    with pytest.raises(UserError, match="cannot name a folder"):
        load_model(tmp_path)
