"""Training on two machines: network namespaces with a cable between them, a torchrun in each.

It takes minutes and needs root: `python -m pytest -n 0 -m cluster tests/unit/runtime/test_two_machines.py`.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from helpers.tiny import ROOT, python, run_config, write_config
from speechvq.io.tensors import read_tensors
from speechvq.training.checkpoint import list_checkpoints

STEPS = 16

pytestmark = pytest.mark.cluster


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


@pytest.fixture(scope="module")
def machines() -> Iterator[list[str]]:
    """Names of two network namespaces, 10.77.0.1 and 10.77.0.2, joined by a pair of virtual interfaces."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or not shutil.which("ip"):
        pytest.skip("network namespaces need root and the command ip")
    names = [f"speechvq-{os.getpid()}-{number}" for number in (1, 2)]
    try:
        try:
            for name in names:
                ip("netns", "add", name)
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        ends = [f"svq{os.getpid()}{letter}" for letter in "ab"]
        ip("link", "add", ends[0], "type", "veth", "peer", "name", ends[1])
        for number, (name, end) in enumerate(zip(names, ends), start=1):
            ip("link", "set", end, "netns", name, "name", "cable")
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "cable")
            ip("-n", name, "link", "set", "cable", "up")
            ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            subprocess.run(["ip", "netns", "delete", name], capture_output=True)


def train_on(
    machines: list[str], folder: Path, death: str, config: Path, *, restarts: int
) -> list[tuple[int, str]]:
    """Exit code and stderr of the torchrun of each machine."""
    started = []
    for number, name in enumerate(machines, start=1):
        flags = [
            "--nnodes=2",
            "--nproc-per-node=1",
            f"--max-restarts={restarts}",
            "--rdzv-backend=c10d",
            "--rdzv-endpoint=10.77.0.1:29517",
            f"--rdzv-id={death}",
            f"--rdzv-conf=is_host={int(number == 1)},join_timeout=300",
            f"--local-addr=10.77.0.{number}",
            "--monitor-interval=0.2",
        ]
        script = str(ROOT / "tests" / "helpers" / "two_machines.py")
        run = [script, str(folder), death, "--config", str(config), "--out", str(folder / "run")]
        command = ["-m", "torch.distributed.run", *flags, *run, "--device", "cpu"]
        inside = ["ip", "netns", "exec", name]
        started.append(python(*command, before=inside, environment={"GLOO_SOCKET_IFNAME": "cable"}))
    try:
        ends = [process.communicate(timeout=240) for process in started]
    finally:
        for process in started:
            process.terminate()  # torchrun ends its process too
    return [(process.returncode, errors) for process, (_, errors) in zip(started, ends)]


def differing(one: Path, other: Path) -> list[str]:
    first, second = read_tensors(one), read_tensors(other)
    assert first.keys() == second.keys()
    return [name for name in first if not torch.equal(first[name], second[name])]


def test_two_machines_train_one_model_and_survive_the_loss_of_one(
    machines: list[str], corpus: Path, tmp_path: Path
) -> None:
    """A run without incidents; then one whose second machine dies, and that loses a process when resumed."""
    settings = run_config(corpus, "ema", steps=STEPS, save_every=100)
    config = write_config(tmp_path, settings)
    calm, rough = tmp_path / "calm", tmp_path / "rough"
    for folder in (calm, rough):
        folder.mkdir()
    ended = train_on(machines, calm, "none", config, restarts=0)
    assert [code for code, _ in ended] == [0, 0], ended
    assert differing(calm / "weights_0.safetensors", calm / "weights_1.safetensors") == []

    (_, errors), (code, _) = train_on(machines, rough, "machine", config, restarts=0)
    assert code == -9
    [line] = [line for line in errors.splitlines() if "another process of this run has ended" in line]
    assert f"{rough / 'run'}: " in line and "step 5 is saved in stage_1_step_5;" in line
    assert "Traceback (most recent call last):" not in errors.partition("another process")[0]
    assert list_checkpoints(rough / "run")[-1].name == "stage_1_step_5"

    ended = train_on(machines, rough, "process", config, restarts=3)
    assert [code for code, _ in ended] == [0, 0], ended
    assert "step 10 is saved in stage_1_step_10;" in ended[0][1]
    for rank in (0, 1):
        assert differing(calm / "weights_0.safetensors", rough / f"weights_{rank}.safetensors") == []
