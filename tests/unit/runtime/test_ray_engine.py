"""The Ray engine on a cluster of two nodes: lost workers, unreadable files, resumption, equal results."""

import importlib.util
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from helpers.audio_files import save_tiny_model, write_invalid_audio, write_tone
from helpers.tiny import ROOT, python
from helpers.two_ray_nodes import commands
from speechvq.io.journal import FILE_NAME

SCENARIOS = os.environ.get("RAY_SCENARIOS", "encode codebook purity prepare").split()

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"
)


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings, a model, alignments of their codes, and what the local engine makes of them in `local`."""
    place = tmp_path_factory.mktemp("ray")
    save_tiny_model(place / "model")
    shutil.copytree(corpus / "audio", place / "in")
    write_invalid_audio(place / "in", "text.wav")
    for path in (corpus / "audio").iterdir():
        speaker = place / "speakers" / path.name.partition("_")[0]
        speaker.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, speaker)
        lab = place / "lab" / f"{path.stem}.lab"
        lab.parent.mkdir(exist_ok=True)
        lab.write_text("0 1000000 SIL\n1000000 2500000 AA1\n2500000 3000000 SIL\n")
    for calls in commands(place).values():
        for command, words in calls:
            assert command([word.replace(f"{place}/ray", f"{place}/local") for word in words]) == 0
    write_tone(place / "in/poison.wav")
    return place


@pytest.fixture(scope="module")
def ended(folder: Path) -> dict[str, Any]:
    """Exit codes and stderr of the same commands on the cluster, by scenario."""
    helper = str(ROOT / "tests" / "helpers" / "two_ray_nodes.py")
    output, errors = python(helper, str(folder), *SCENARIOS).communicate(timeout=1500)
    lines = [json.loads(line) for line in output.splitlines() if line.startswith("{")]
    assert len(lines) == len(SCENARIOS), errors
    return {line["scenario"]: line for line in lines}


def contents(place: Path) -> dict[str, bytes]:
    """The files below a folder, without the journal, which has dates."""
    files = (path for path in place.rglob("*") if path.is_file() and path.name != FILE_NAME)
    return {str(path.relative_to(place)): path.read_bytes() for path in files}


def test_codes_equal_those_of_the_local_engine_though_workers_die(
    folder: Path, ended: dict[str, Any]
) -> None:
    assert ended["encode"]["codes"] == [0, 0]
    assert (folder / "ray/died").exists()
    assert contents(folder / "ray/codes") == contents(folder / "local/codes")


def test_a_second_call_continues_and_lists_what_it_could_not_read(
    folder: Path, ended: dict[str, Any]
) -> None:
    first, second = (errors.splitlines() for errors in ended["encode"]["errors"])
    assert first[-1] == "4 done, 0 skipped (unchanged), 1 failed"
    assert second[-1] == "11 done, 4 skipped (unchanged), 2 failed"
    [poison, text] = [line for line in second if line.startswith("failed: ")]
    assert poison.startswith(f"failed: {folder / 'in/poison.wav'}: ended 3 worker processes")
    assert text.startswith(f"failed: {folder / 'in/text.wav'}: ")


@pytest.mark.parametrize("name", ["codebook", "purity"])
def test_scores_equal_those_of_the_local_engine(name: str, folder: Path, ended: dict[str, Any]) -> None:
    assert ended[name]["codes"] == [0], ended[name]
    assert (folder / f"ray/{name}.json").read_bytes() == (folder / f"local/{name}.json").read_bytes()


def test_a_prepared_corpus_equals_that_of_the_local_engine(folder: Path, ended: dict[str, Any]) -> None:
    assert ended["prepare"]["codes"] == [0], ended["prepare"]
    assert contents(folder / "ray/data") == contents(folder / "local/data")
