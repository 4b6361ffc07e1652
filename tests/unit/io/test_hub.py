"""Models on the hub, with a fake hub that keeps repositories in a folder; no network."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import yaml

import speechvq
from helpers import tiny_prior
from helpers.tiny import speech_model
from speechvq.audio.waveform import SAMPLE_RATE, write_waveform
from speechvq.config.images import ImageVAEConfig
from speechvq.convert import main
from speechvq.errors import UserError
from speechvq.images.dataset import training_images_root
from speechvq.images.model_directory import load_image_model, save_image_model
from speechvq.images.vae import ImageVAE
from speechvq.io.hub import download, is_hub_name
from speechvq.priors.sequence.model_directory import load_prior, save_prior
from speechvq.speech.model import SpeechVQ
from speechvq.speech.model_directory import bundled_models, find_prior


class Hub:
    """The used part of huggingface_hub, on a folder."""

    def __init__(self, root: Path) -> None:
        self.revisions: list[str | None] = []
        self.root, self.fetched = root, list[str]()

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> str:
        (self.root / repo_id).mkdir(parents=True, exist_ok=exist_ok)
        return f"https://hub/{repo_id}{' (private)' if private else ''}"

    def create_commit(self, repo_id: str, operations: list[SimpleNamespace], *, commit_message: str) -> None:
        for each in operations:
            content, path = each.path_or_fileobj, self.root / repo_id / each.path_in_repo
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content if isinstance(content, bytes) else Path(content).read_bytes())

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
        name: getattr(stand_in, name) for name in ("create_repo", "create_commit", "snapshot_download")
    }
    stand_in_module = SimpleNamespace(**functions, CommitOperationAdd=SimpleNamespace)
    monkeypatch.setitem(sys.modules, "huggingface_hub", stand_in_module)
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


def test_a_dry_run_lists_files_and_card_and_connects_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    said = speech_model().push_to_hub("ada/voice", license_id="mit", languages=["en"], dry_run=True)
    assert {line.split()[-1] for line in said.splitlines()[1:4]} == {
        "config.yaml",
        "model.safetensors",
        "README.md",
    }
    _, metadata, text = said.partition("README.md:\n")[2].split("---\n", 2)
    assert yaml.safe_load(metadata) == {
        "library_name": "speechvq",
        "pipeline_tag": "audio-to-audio",
        "license": "mit",
        "language": ["en"],
        "tags": ["vq-vae", "audio", "speech", "voice-conversion", "feature-extraction", "speech-units"],
    }
    assert text.strip().startswith("# voice\n") and 'speechvq.load("hub:ada/voice")' in text
    assert "`ada`, `bob`, `cyd`" in text
    with pytest.raises(UserError, match="expected hub:OWNER/NAME"):
        speech_model().push_to_hub("voice", dry_run=True)


def test_the_sizes_of_a_dry_run_are_those_of_the_files(hub: Hub, tmp_path: Path) -> None:
    speech_model().save_pretrained(tmp_path / "run" / "model")
    (tmp_path / "run" / "model" / "sample.flac").write_bytes(b"fLaC")
    said = speechvq.push_to_hub(tmp_path / "run", "ada/voice", dry_run=True)
    speechvq.push_to_hub(tmp_path / "run", "ada/voice")
    stored = {path.name: path.stat().st_size for path in (hub.root / "ada" / "voice").iterdir()}
    assert set(stored) == {"config.yaml", "model.safetensors", "README.md", "sample.flac"}
    for name, size in stored.items():
        assert f"{size:,} bytes  {name}\n" in said
    card = (hub.root / "ada" / "voice" / "README.md").read_text()
    assert yaml.safe_load(card.split("---\n")[1])["widget"] == [
        {"src": "sample.flac", "example_title": "sample"}
    ]


def test_a_card_of_the_folder_is_kept(hub: Hub, tmp_path: Path) -> None:
    speech_model().save_pretrained(tmp_path / "model")
    (tmp_path / "model" / "MODEL_CARD.md").write_text("# Mine\n")
    speechvq.push_to_hub(tmp_path / "model", "ada/voice", license_id="cc-by-4.0")
    stored = hub.root / "ada" / "voice" / "README.md"
    assert stored.read_text().startswith("---\nlibrary_name: speechvq\n")
    assert stored.read_text().endswith("---\n\n# Mine\n") and "license: cc-by-4.0\n" in stored.read_text()
    own = "---\nlicense: other\n---\n# Own\n"
    (tmp_path / "model" / "README.md").write_text(own)
    speechvq.push_to_hub(tmp_path / "model", "ada/voice", license_id="mit")
    assert stored.read_text() == own


@pytest.mark.parametrize("name", bundled_models())
def test_the_bundled_cards_have_metadata(name: str) -> None:
    said = speechvq.push_to_hub(name, "ada/voice", dry_run=True)
    metadata = yaml.safe_load(said.partition("README.md:\n")[2].split("---\n")[1])
    assert metadata["license"] == "mit" and metadata["language"] == ["en"]
    assert metadata["library_name"] == "speechvq" and metadata["pipeline_tag"] == "audio-to-audio"
    assert "speakers.json" in said


def test_an_unknown_kind_is_not_uploaded(tmp_path: Path) -> None:
    speech_model().save_pretrained(tmp_path)
    config = (tmp_path / "config.yaml").read_text()
    (tmp_path / "config.yaml").write_text(config.replace("kind: speech", "kind: poem"))
    with pytest.raises(UserError, match="kind 'poem' cannot be uploaded"):
        speechvq.push_to_hub(tmp_path, "ada/voice", dry_run=True)


def test_priors_and_image_models_are_uploaded_and_loaded(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prior, image = tiny_prior.prior_of(), ImageVAE(ImageVAEConfig()).eval()
    save_prior(tmp_path / "prior", prior)
    save_image_model(tmp_path / "image", image)
    for name in ("prior", "image"):
        assert speechvq.push_to_hub(tmp_path / name, f"ada/{name}") == f"https://hub/ada/{name}"
    again = load_prior("hub:ada/prior").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in prior.state_dict().items())
    again = load_image_model("hub:ada/image").state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in image.state_dict().items())
    assert "generate --model MODEL --prior hub:ada/prior" in (hub.root / "ada/prior/README.md").read_text()
    assert "draw --run hub:ada/image" in (hub.root / "ada/image/README.md").read_text()
    with pytest.raises(UserError, match="no prior over code sequences"):
        load_prior("hub:ada/image")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="hub:ada/image: a model of the hub comes without images"):
        training_images_root(Path("hub:ada/image"))
    assert {path.name for path in tmp_path.iterdir()} == {"hub", "prior", "image"}


@pytest.mark.parametrize("model_in", ["voice", "voice/model"])
@pytest.mark.parametrize("prior_in", ["prior", "prior/model"])
def test_the_prior_of_a_speech_model_comes_with_it(
    hub: Hub, tmp_path: Path, model_in: str, prior_in: str
) -> None:
    speech_model().save_pretrained(tmp_path / model_in)
    prior = tiny_prior.prior_of()
    save_prior(tmp_path / "voice" / prior_in, prior)
    said = speechvq.push_to_hub(tmp_path / "voice", "ada/voice", dry_run=True)
    assert "  prior/config.yaml\n" in said and "  prior/model.safetensors\n" in said
    speechvq.push_to_hub(tmp_path / "voice", "ada/voice")
    found = find_prior("hub:ada/voice")
    assert found == hub.root / "ada" / "voice" / "prior"
    again = load_prior(found).state_dict()
    assert all(torch.equal(tensor, again[name]) for name, tensor in prior.state_dict().items())
    assert SpeechVQ.from_pretrained("hub:ada/voice").speakers == speech_model().speakers


def test_a_model_of_the_hub_without_a_prior(hub: Hub) -> None:
    speech_model().push_to_hub("ada/voice")
    assert find_prior("hub:ada/voice") is None


def test_a_hub_name_is_no_voice(hub: Hub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_waveform(tmp_path / "a.wav", np.full(SAMPLE_RATE, 0.1, np.float32))
    arguments = ["--src", str(tmp_path / "a.wav"), "--out", str(tmp_path / "b.wav")]
    assert main([*arguments, "--target-speaker", "hub:ada/voice"]) == 2
    assert "the hub has models, no voices; give --model hub:ada/voice" in capsys.readouterr().err
