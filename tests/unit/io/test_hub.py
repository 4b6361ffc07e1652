"""Models on the hub, with a fake hub that keeps repositories in a folder; no network."""

import fnmatch
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from helpers.tiny import speech_model
from speechvq.convert import main
from speechvq.errors import UserError
from speechvq.io.hub import download, is_hub_name
from speechvq.speech.model import SpeechVQ


class Hub:
    """The used part of huggingface_hub, on a folder."""

    def __init__(self, root: Path) -> None:
        self.revisions: list[str | None] = []
        self.root, self.fetched = root, list[str]()

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> str:
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
        return f"https://hub/{repo_id}{' (private)' if private else ''}"

    def upload_folder(self, *, repo_id: str, folder_path: str, allow_patterns: list[str]) -> None:
        for file in Path(folder_path).iterdir():
            assert any(fnmatch.fnmatch(file.name, pattern) for pattern in allow_patterns)
            shutil.copy(file, self.root / repo_id)

    def snapshot_download(self, repo_id: str, *, revision: str | None, allow_patterns: list[str]) -> str:
        self.revisions.append(revision)
        if not (self.root / repo_id).is_dir():
            raise OSError(f"404: {repo_id} not found\nand more lines")
        self.fetched += allow_patterns
        return str(self.root / repo_id)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    stand_in = Hub(tmp_path / "hub")
    functions = {
        name: getattr(stand_in, name) for name in ("create_repo", "upload_folder", "snapshot_download")
    }
    monkeypatch.setitem(sys.modules, "huggingface_hub", SimpleNamespace(**functions))
    return stand_in


@pytest.mark.parametrize("half", [False, True])
def test_round_trip(hub: Hub, half: bool) -> None:
    model = speech_model()
    assert model.push_to_hub("ada/voice", half=half) == "https://hub/ada/voice"
    assert model.push_to_hub("hub:ada/voice", private=True, half=half).endswith("(private)"), (
        "again, and with the prefix"
    )
    again = SpeechVQ.from_pretrained("hub:ada/voice")
    assert again.speakers == model.speakers and not again.training
    for name, tensor in model.state_dict().items():
        assert torch.allclose(
            again.state_dict()[name].float(), tensor.float(), rtol=1e-2 if half else 0, atol=1e-3 * half
        ), name
    assert "*.py" not in hub.fetched and not any(pattern.startswith("*.bin") for pattern in hub.fetched)


def test_a_missing_repository_gives_one_line(hub: Hub, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(
        UserError, match=r"hub:ada/none: cannot be downloaded \(404: ada/none not found\); check"
    ):
        download("hub:ada/none")
    assert main(["--model", "hub:ada/none", "--list-speakers"]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize(
    "name", ["hub:", "hub:ada", "hub:../voice", "hub:ada/../voice", "hub:ada/voice/more", "hub:-x/y"]
)
def test_invalid_names_are_refused(hub: Hub, name: str) -> None:
    assert is_hub_name(name)
    with pytest.raises(UserError, match="expected hub:OWNER/NAME"):
        download(name)


@pytest.mark.parametrize("revision", ["main", "v1.0", "0123456789" * 4, "refs/pr/1"])
def test_a_revision_is_pinned(hub: Hub, revision: str) -> None:
    speech_model().push_to_hub("me/voice")
    assert download(f"hub:me/voice@{revision}") == download("hub:me/voice")
    assert hub.revisions == [revision, None]
    with pytest.raises(UserError, match="uploaded without @REVISION"):
        speech_model().push_to_hub(f"me/voice@{revision}")


def test_a_missing_folder_is_not_searched_on_the_hub(hub: Hub) -> None:
    assert not is_hub_name("exp/voice")
    with pytest.raises(UserError, match="no model here"):
        SpeechVQ.from_pretrained("exp/no_such_voice")
    assert not hub.fetched


def test_without_the_extra_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(UserError, match=r"pip install 'speechvq\[hub\]'"):
        SpeechVQ.from_pretrained("hub:ada/voice")
