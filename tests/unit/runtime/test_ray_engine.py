"""The Ray engine on a cluster of two nodes: lost workers, unreadable files, resumption, equal results.

It takes minutes: `python -m pytest -n 0 -m cluster tests/unit/runtime/test_ray_engine.py`.
"""

import importlib.util
import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from helpers.audio_files import write_tone
from helpers.engine_commands import contents, write_inputs
from helpers.tiny import ROOT, python
from speechvq import encode

PACK = ROOT.parent / "shared/data/speech/audio"
SCENARIOS = ["encode", "codebook", "purity", "prepare"]

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="the extra ray is not installed"),
]


@pytest.fixture(scope="module")
def folder(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Inputs of the commands, and what the local engine makes of them in `local`."""
    place = tmp_path_factory.mktemp("ray")
    write_inputs(place, corpus)
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


def test_codes_equal_those_of_the_local_engine_though_workers_die(
    folder: Path, ended: dict[str, Any]
) -> None:
    assert ended["encode"]["codes"] == [0, 0]
    assert (folder / "ray/died-encode").exists()
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
def test_scores_equal_those_of_the_local_engine_though_a_worker_dies(
    name: str, folder: Path, ended: dict[str, Any]
) -> None:
    assert ended[name]["codes"] == [0], ended[name]
    assert (folder / f"ray/died-{name}").exists()
    assert (folder / f"ray/{name}.json").read_bytes() == (folder / f"local/{name}.json").read_bytes()


def test_a_prepared_corpus_equals_that_of_the_local_engine_though_a_worker_dies(
    folder: Path, ended: dict[str, Any]
) -> None:
    assert ended["prepare"]["codes"] == [0], ended["prepare"]
    assert (folder / "ray/died-prepare").exists()
    assert contents(folder / "ray/data") == contents(folder / "local/data")


@pytest.mark.skipif(not PACK.is_dir(), reason="the corpus ../shared/data/speech is not there")
def test_a_killed_command_continues_and_equals_the_local_one(tmp_path: Path) -> None:
    """On real speech with the default model."""
    helper, (killed, local) = str(ROOT / "tests/helpers/killed_encoding.py"), (tmp_path / "a", tmp_path / "b")
    output, errors = python(helper, str(PACK), str(killed), "100").communicate(timeout=1500)
    first, second, third = map(json.loads, output.splitlines())
    assert first["code"] == -signal.SIGKILL and second["code"] == third["code"] == 0, errors
    assert encode.main(["--src", str(PACK), "--out", str(local)]) == 0
    count = len(list(local.rglob("*.npy")))
    done, skipped = map(int, re.findall(r"(\d+) (?:done|skipped)", second["last"][0]))
    assert done + skipped == count and done and skipped
    assert third["last"] == [f"0 done, {count} skipped (unchanged), 0 failed"]
    assert contents(killed) == contents(local)


def test_the_memory_of_the_caller_does_not_grow_with_the_corpus(tmp_path: Path) -> None:
    helper, used = str(ROOT / "tests/helpers/listed_by_ray.py"), []
    for count in (10_000, 200_000):
        output, errors = python(helper, str(tmp_path), str(count)).communicate(timeout=600)
        results, memory = map(int, output.split()[-2:])
        assert results == count, errors
        used.append(memory)
    assert used[1] - used[0] < 40, used  # MiB; a list of the recordings would take 80
