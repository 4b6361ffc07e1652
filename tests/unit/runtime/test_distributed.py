"""Two processes equal one process on the joint batch; they train, stop and resume together."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from helpers.tiny import ROOT, SPEAKERS, python, write_config
from helpers.two_processes import main_steps, pretraining_steps, speech_run_with_stages
from speechvq.data.manifest import read_manifest
from speechvq.io.tensors import read_tensors
from speechvq.runtime import distributed
from speechvq.speech.model import load_model
from speechvq.training.checkpoint import list_checkpoints


@pytest.fixture(scope="module")
def together(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Output folder of two processes, see two_processes.py."""
    folder = tmp_path_factory.mktemp("together")
    config = write_config(folder, speech_run_with_stages(corpus))
    (folder / "corpus.txt").write_text(str(corpus))
    script = str(ROOT / "tests" / "helpers" / "two_processes.py")
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    process = python(*torchrun, script, str(folder), "--config", str(config), "--device", "cpu")
    _, errors = process.communicate(timeout=400)
    assert process.returncode == 0, errors
    return folder


@pytest.mark.parametrize("mode", ["loss", "ema"])
def test_two_processes_equal_one_on_the_joined_batch(together: Path, mode: str) -> None:
    """Weights, codebook, counts, sums, running statistics, usage and gradient norm after three updates."""
    alone = main_steps(mode, rank=0, world_size=1)
    first, second = (read_tensors(together / f"{mode}_{rank}.safetensors") for rank in range(2))
    assert differing(first, second) == []
    assert first.keys() == alone.keys()
    far = [
        name for name in alone if not torch.allclose(alone[name].double(), first[name].double(), atol=1e-5)
    ]
    assert far == []
    assert alone["quantizer.num_updates"] == 3 and alone["usage"].sum() == first["usage"].sum() == 160


def test_two_processes_equal_one_in_the_source_filter_stage(together: Path, corpus: Path) -> None:
    """Also where a loss is a mean over the voiced frames, of which each process has another number."""
    alone = pretraining_steps(corpus, rank=0, world_size=1)
    first, second = (read_tensors(together / f"pretraining_{rank}.safetensors") for rank in range(2))
    assert differing(first, second) == [] and first.keys() == alone.keys()
    far = [
        name for name in alone if not torch.allclose(alone[name].double(), first[name].double(), atol=1e-4)
    ]
    assert far == []


def differing(one: dict[str, Tensor], other: dict[str, Tensor]) -> list[str]:
    return [name for name in one if not torch.equal(one[name], other[name])]


def test_all_processes_end_with_the_same_model(together: Path) -> None:
    first, second = (read_tensors(together / f"unbroken_{rank}.safetensors") for rank in range(2))
    assert differing(first, second) == []
    assert load_model(together / "unbroken").speakers == SPEAKERS
    lines = [json.loads(line) for line in (together / "unbroken" / "metrics.jsonl").read_text().splitlines()]
    evaluated = [line["step"] for line in lines if "heldout_bits" in line]
    assert evaluated == [5, 10, 12], "one process writes the log"
    assert [(line["stage"], line["step"]) for line in lines if "learning_rate" in line] == [
        ("source_filter", 8),
        ("main", 12),
    ]


def test_a_signal_to_one_process_stops_all_at_the_same_step_and_they_resume(together: Path) -> None:
    """To the bit: two runs of two processes add the same numbers in the same order."""
    assert [json.loads((together / f"codes_{rank}.json").read_text()) for rank in range(2)] == [
        [0, 143, 143, 0]
    ] * 2
    for name in ("model", "ema", "optimizer"):
        one, other = (list_checkpoints(together / run)[-1] for run in ("unbroken", "stopped"))
        assert (
            differing(read_tensors(one / f"{name}.safetensors"), read_tensors(other / f"{name}.safetensors"))
            == []
        )


def test_a_single_process_needs_no_group(corpus: Path) -> None:
    assert (distributed.rank(), distributed.world_size()) == (0, 1)
    x = torch.randn(3, 2)
    assert distributed.all_reduce_sum(x) is x and distributed.all_gather_rows(x) is x
    assert len(read_manifest(corpus)) == 15
