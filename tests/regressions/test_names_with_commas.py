"""The speaker "Smith, John" could not be named on any command line."""

from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import names, write_tone
from helpers.tiny import MODEL
from speechvq import convert
from speechvq.data.splits import SplitRule, choose_unseen, split_of
from speechvq.errors import UserError
from speechvq.io.names import split_names
from speechvq.priors.sequence.prior import SequencePrior
from speechvq.speech.generation import choose_speakers
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import save_model

SMITH, DOE = "Smith, John", "Doe, Jane, PhD"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        (" a , b,", ["a", "b"]),
        (SMITH, [SMITH]),
        (f"{SMITH},a,{DOE}", [SMITH, "a", DOE]),
        (f"a, {DOE} ,{SMITH}", ["a", DOE, SMITH]),
        ("Smith, Jane", ["Smith", "Jane"]),
        (",", []),
        ("Jose\u0301", ["José"]),
        (",".join(["x"] * 3_000), ["x"] * 3_000),
    ],
)
def test_a_known_name_comes_before_the_commas(text: str, expected: list[str]) -> None:
    assert split_names(text, {SMITH, DOE}.__contains__) == expected


def test_unseen_speakers() -> None:
    speakers = [SMITH, DOE, "Smith", "John"]
    assert choose_unseen(speakers, SplitRule(unseen_speakers=SMITH)) == {SMITH}
    assert choose_unseen(speakers, SplitRule(unseen_speakers=f"Smith,{DOE}")) == {"Smith", DOE}
    splits = split_of({"a": "Jose\u0301", "b": "ann"}, SplitRule(unseen_speakers="José"))
    assert splits == {"a": "unseen", "b": "train"}


def model() -> SpeechVQ:
    return SpeechVQ(MODEL, [SMITH, "Jose\u0301"]).eval()


def test_generated_speakers(monkeypatch: pytest.MonkeyPatch) -> None:
    prior = object.__new__(SequencePrior)
    monkeypatch.setattr(SequencePrior, "speakers", (), raising=False)
    assert choose_speakers(f"Jose\u0301,{SMITH}", 3, model(), prior, 0) == ["José", SMITH, "José"]
    with pytest.raises(UserError, match="holds no name"):
        choose_speakers(",", 3, model(), prior, 0)


def test_targets(tmp_path: Path) -> None:
    save_model(tmp_path / "model", model())
    write_tone(tmp_path / "a.wav")
    flags = ["--model", tmp_path / "model", "--src", tmp_path / "a.wav", "--out", tmp_path / "out"]
    assert convert.main([*map(str, flags), "--target-speaker", f"{SMITH},Jose\u0301"]) == 0
    assert names(tmp_path / "out") == {f"{SMITH}/a.wav", "José/a.wav"}
    assert np.isfinite(model().convert(np.zeros(100, np.float32), "Jose\u0301")).all()
