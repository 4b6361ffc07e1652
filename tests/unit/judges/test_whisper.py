"""Whisper by stub packages: fixed decoding, the normalizers, and one line for every mistake."""

import sys
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from speechvq.errors import UserError
from speechvq.judges.whisper import WhisperRecognizer, require_extra


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Stubs of faster-whisper and whisper-normalizer; the arguments of all calls."""
    calls: list[dict[str, Any]] = []

    class WhisperModel:
        supported_languages = ("en", "de")

        def __init__(self, folder: str, **options: Any) -> None:
            if (Path(folder) / "model.bin").read_text() == "damaged":
                raise RuntimeError("not a model\nmore lines")
            calls.append(options)

        def transcribe(self, wave: np.ndarray, **options: Any) -> tuple[list[Any], None]:
            calls.append(options)
            return [types.SimpleNamespace(text=" The Cat"), types.SimpleNamespace(text=" sat.")], None

    whisper, utils = types.ModuleType("faster_whisper"), types.ModuleType("faster_whisper.utils")
    whisper.WhisperModel, whisper.__version__ = WhisperModel, "1.0"  # type: ignore[attr-defined]

    def download_model(name: str) -> str:
        raise OSError("no route to host\nmore lines")

    utils.available_models, utils.download_model = lambda: ["tiny", "base"], download_model  # type: ignore[attr-defined]
    modules = {"faster_whisper": whisper, "faster_whisper.utils": utils}
    for name, kind in (("english", "EnglishTextNormalizer"), ("basic", "BasicTextNormalizer")):
        modules[f"whisper_normalizer.{name}"] = types.ModuleType(name)
        normalizer = lambda name=name: lambda text: f"{name} {text.lower().strip('.')}"  # noqa: E731
        setattr(modules[f"whisper_normalizer.{name}"], kind, normalizer)
    modules["whisper_normalizer"] = types.ModuleType("whisper_normalizer")
    for name, module in modules.items():
        monkeypatch.setitem(sys.modules, name, module)
    return calls


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("model.bin", "config.json", "tokenizer.json"):
        (tmp_path / name).write_text("{}")
    return tmp_path


def test_decoding_is_fixed_and_described(calls: list[dict[str, Any]], folder: Path) -> None:
    recognizer = WhisperRecognizer(str(folder))
    assert recognizer.transcribe(np.zeros(9)) == "The Cat sat." and recognizer.transcribe(np.zeros(0)) == ""
    assert recognizer.words("The Cat sat.") == ["english", "the", "cat", "sat"]
    options = {"beam_size": 5, "temperature": 0.0, "condition_on_previous_text": False, "language": "en"}
    assert calls == [{"device": "cpu", "compute_type": "int8", "cpu_threads": 1}, options]
    for part in ("int8", "beam 5", "temperature 0", "language en", "1 thread", "English normalizer"):
        assert part in recognizer.description
    before = recognizer.description
    (folder / "model.bin").write_text("other weights")
    assert WhisperRecognizer(str(folder)).description != before


def test_other_languages_are_normalized_without_english_rules(
    calls: list[dict[str, Any]], folder: Path
) -> None:
    assert WhisperRecognizer(str(folder), language="de").words("Katze") == ["basic", "katze"]
    with pytest.raises(UserError, match="--language xx: this model knows en, de"):
        WhisperRecognizer(str(folder), language="xx")


def test_mistakes_are_one_line(calls: list[dict[str, Any]], folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (folder / "model.bin").write_text("damaged")
    for name, message in (
        (str(tmp_path / "empty"), "no Whisper model of CTranslate2 there .model.bin is missing"),
        (str(tmp_path / "nothing"), "no such directory, and no model of that name; there are tiny, base"),
        ("base", "cannot be downloaded .no route to host."),
        (str(folder), "cannot be loaded .not a model."),
    ):
        with pytest.raises(UserError, match=message) as raised:
            WhisperRecognizer(name)
        assert "\n" not in str(raised.value)


def test_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(UserError, match=r"pip install 'speechvq\[words\]'"):
        require_extra()
