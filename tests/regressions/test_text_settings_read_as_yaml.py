"""`--set "data.manifest=h/take #2"` trained on the corpus `h/take`, and a corpus named 2024 was refused."""

import dataclasses
from pathlib import Path

import pytest

from speechvq.config import SpeechRun, load
from speechvq.config.reading import from_file_mapping
from speechvq.errors import UserError

TEXTS = [
    "h/take #2",
    "2024",
    "007",
    "1e3",
    "yes",
    "null",
    "~",
    "a: b",
    "[x",
    "{",
    "*x",
    '"q"',
    " s ",
    "é",
    "",
    "-",
]


@dataclasses.dataclass(frozen=True)
class Texts:
    """Settings of every kind that holds text."""

    names: tuple[str, ...] = ()
    maybe: str | None = None


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_setting_is_its_text(text: str, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("data: {manifest: other}")
    assert load(tmp_path / "run.yaml", SpeechRun, [f"data.manifest={text}"]).data.manifest == text


def test_other_settings_are_yaml(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text("{}")
    config = load(tmp_path / "run.yaml", SpeechRun, ["train.steps=7 # few", "model.encoder.strides=[2, 5]"])
    assert config.train.steps == 7 and config.model.encoder.strides == (2, 5)


@pytest.mark.parametrize("given", ['[2024, take #2, "Smith, John"]', '2024,take #2, "Smith, John"'])
def test_a_list_of_texts_holds_texts(given: str) -> None:
    config = from_file_mapping(Path("run.yaml"), {}, Texts, [f"names={given}", "maybe=1:30"])
    assert config == Texts(("2024", "take #2", "Smith, John"), "1:30")
    assert from_file_mapping(Path("run.yaml"), {}, Texts, ["maybe=null"]) == Texts()


def test_a_number_in_a_file_needs_quotes(tmp_path: Path) -> None:
    """The file is YAML, in which 007 is the number 7."""
    (tmp_path / "run.yaml").write_text("data: {manifest: 007}")
    with pytest.raises(UserError, match="data.manifest: expected text, in quotes in a YAML file, got 7"):
        load(tmp_path / "run.yaml", SpeechRun)
