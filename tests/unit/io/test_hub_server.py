"""huggingface_hub against a stand-in server on loopback: revisions, the cache, offline, and uploads."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from helpers import tiny_prior
from helpers.hub_server import HubServer, hub_server
from helpers.tiny import ROOT, speech_model
from speechvq.priors.sequence.model_directory import save_prior

pytest.importorskip("huggingface_hub", reason="needs the extra hub")

PRELUDE = "import sys; from pathlib import Path; from speechvq.io.hub import download, upload\n"


@pytest.fixture
def server() -> Iterator[HubServer]:
    with hub_server() as hub:
        yield hub


def call(code: str, server: HubServer, cache: Path, *arguments: object, **variables: str) -> tuple[int, str]:
    """Run Python with the hub's address and an empty cache: the library reads its variables when imported.

    Returns the exit code and the last line of output.
    """
    names = {
        "HF_ENDPOINT": server.url,
        "HF_HOME": str(cache),
        "HF_TOKEN": "hf_standin",
        "HF_HUB_DISABLE_XET": "1",
    }
    clean = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    environment = {**clean, **names, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1"}
    result = subprocess.run(
        [sys.executable, "-c", PRELUDE + code, *map(str, arguments)],
        env={**environment, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        timeout=120,
    )
    output = result.stdout if result.returncode == 0 else result.stderr
    return result.returncode, (output.strip().splitlines() or [""])[-1]


LOAD = "print(download(sys.argv[1]))"
UPLOAD = "print(upload(Path(sys.argv[1]), 'ada/voice', private=False, license_id='mit'))"


def test_upload_revisions_and_offline(server: HubServer, tmp_path: Path) -> None:
    cache, first, second = tmp_path / "cache", tmp_path / "first", tmp_path / "second"
    speech_model(seed=0).save_pretrained(first)
    speech_model(seed=1).save_pretrained(second)
    for folder in (first, second):
        assert call(UPLOAD, server, cache, folder) == (0, f"{server.url}/ada/voice")
    (old, files), (new, _) = server.commits["ada/voice"]
    assert set(files) == {"config.yaml", "model.safetensors", "README.md"}
    assert files["README.md"].startswith(b"---\nlibrary_name: speechvq\n")
    for name, folder in {
        "hub:ada/voice": second,
        "hub:ada/voice@v0": first,
        f"hub:ada/voice@{old}": first,
    }.items():
        code, path = call(LOAD, server, cache, name)
        assert code == 0, path
        assert (Path(path) / "model.safetensors").read_bytes() == (folder / "model.safetensors").read_bytes()
        assert Path(path).name == (new if folder == second else old)
    asked = len(server.asked)
    code, path = call(LOAD, server, cache, "hub:ada/voice", HF_HUB_OFFLINE="1")
    assert code == 0 and Path(path).name == new, path
    code, line = call(LOAD, server, cache, "hub:ada/other", HF_HUB_OFFLINE="1")
    assert code == 1 and "speechvq.errors.UserError: hub:ada/other: cannot be downloaded" in line
    assert len(server.asked) == asked, "offline asks nobody"
    code, line = call(LOAD, server, cache, "hub:ada/other")
    assert code == 1 and "UserError: hub:ada/other: cannot be downloaded (404" in line


def test_a_prior_travels_with_its_model(server: HubServer, tmp_path: Path) -> None:
    speech_model().save_pretrained(tmp_path / "voice")
    save_prior(tmp_path / "voice" / "prior", tiny_prior.prior_of())
    code = "import speechvq; print(speechvq.push_to_hub(sys.argv[1], 'ada/voice'))"
    assert call(code, server, tmp_path / "cache", tmp_path / "voice") == (0, f"{server.url}/ada/voice")
    _, path = call(LOAD, server, tmp_path / "cache", "hub:ada/voice")
    for name in ("config.yaml", "model.safetensors"):
        assert (Path(path) / "prior" / name).read_bytes() == (
            tmp_path / "voice" / "prior" / name
        ).read_bytes()


def test_a_server_that_is_gone(tmp_path: Path) -> None:
    with hub_server() as server:
        speech_model().save_pretrained(tmp_path / "model")
        assert call(UPLOAD, server, tmp_path / "cache", tmp_path / "model")[0] == 0
        found = call(LOAD, server, tmp_path / "cache", "hub:ada/voice")
    assert call(LOAD, server, tmp_path / "cache", "hub:ada/voice") == found, "from the cache"
    code, line = call(LOAD, server, tmp_path / "empty", "hub:ada/voice")
    assert code == 1 and "UserError: hub:ada/voice: cannot be downloaded" in line
    code, line = call(UPLOAD, server, tmp_path / "cache", tmp_path / "model")
    assert code == 1 and "UserError: ada/voice: cannot be uploaded" in line
