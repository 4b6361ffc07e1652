"""`enroll --name ada` was accepted, and `convert` spoke the model's own ada; a/me and b/me were one voice."""

from pathlib import Path

import pytest
import torch

from helpers.audio_files import names, save_tiny_model, write_tone
from helpers.tiny import SPEAKERS, WAVENET, speech_model
from speechvq import convert, enroll
from speechvq.audio.waveform import read_waveform
from speechvq.runtime.logging import log_to_stderr
from speechvq.speech.speakers.voice_file import Voice, find_voices, save_voice


@pytest.fixture(autouse=True)
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with a recording and a model."""
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    write_tone(Path("a.wav"))
    save_tiny_model(tmp_path / "run")
    return tmp_path / "work"


def run(*arguments: str) -> int:
    return convert.main(["--model", "../run", "--src", "a.wav", "--out", "out", *arguments])


def save(path: str, seed: int) -> None:
    torch.manual_seed(seed)
    Path(path).parent.mkdir(exist_ok=True)
    save_voice(Path(path), Voice(torch.randn(WAVENET.speaker_dim), 100.0), speech_model())


@pytest.mark.parametrize("name", ["ada", "own"])
@pytest.mark.parametrize("more", [[], ["--unfreeze", "decoder"]])
def test_a_known_name_is_refused_before_the_work(
    name: str, more: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    write_tone(Path("a.wav"), samples=96_000)
    assert enroll.main(["--name", name, "--audio", "a.wav", "--model", "../run", *more]) == 2
    assert f"--name {name}: ../run has this speaker" in capsys.readouterr().err
    assert names(Path()) == {"a.wav"}


@pytest.mark.parametrize(
    "targets", ["a/me.safetensors,b/me.safetensors", "ada,b/ada.safetensors", "a/me,b/me"]
)
def test_two_voices_of_one_name_are_refused(targets: str, capsys: pytest.CaptureFixture[str]) -> None:
    for path in ("a/me.safetensors", "b/me.safetensors", "b/ada.safetensors"):
        save(path, 1)
    assert run("--target-speaker", targets) == 2
    assert "two voices named" in capsys.readouterr().err


def test_a_file_that_is_named_with_its_ending_wins(capsys: pytest.CaptureFixture[str]) -> None:
    save("ada.safetensors", 1)
    Path("one").mkdir()
    Path("two").mkdir()
    assert run("--target-speaker", "ada", "--out", "one") == 0
    assert "'ada' is the model's own speaker; write ada.safetensors" in capsys.readouterr().err
    assert run("--target-speaker", "ada.safetensors", "--out", "two") == 0
    assert "ada.safetensors: speaks in place of the model's own speaker 'ada'" in capsys.readouterr().err
    own, enrolled = (read_waveform(f"{folder}/ada/a.wav") for folder in ("one", "two"))
    assert (own != enrolled).any()


def test_voices_in_the_current_folder_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    save("me.safetensors", 1)
    save("ada.safetensors", 2)
    Path("other.safetensors").write_bytes(b"no voice")
    with log_to_stderr():
        assert run("--list-speakers", "--names") == 0
    assert capsys.readouterr().out.splitlines() == [*SPEAKERS, "ada.safetensors", "me"]
    assert find_voices(Path(), speech_model(seed=1)) == {}, "those of another model are left out"
