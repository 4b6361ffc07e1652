"""Hostile checkpoints ended in tracebacks, and the checkpoint before them was not used."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from helpers.tiny import noise, speech_config, speech_model
from speechvq.config import TrainConfig
from speechvq.errors import UserError
from speechvq.io.tensors import read_tensors, write_tensors
from speechvq.training.checkpoint import (
    DamagedCheckpoint,
    TrainingState,
    list_checkpoints,
    load_checkpoint,
    save_checkpoint,
)
from speechvq.training.ema import EMA
from speechvq.training.loop import fit
from speechvq.training.metrics_log import MetricsLog
from speechvq.training.stage import ParameterGroup, PretrainingLosses, Stage


def trained(steps: int) -> TrainingState:
    """A tiny model after some steps."""
    model = speech_model(speech_config("ema")).train()
    state = TrainingState(model, torch.optim.Adam(model.parameters(), lr=1e-3), EMA(model, 0.9))
    for state.step in range(1, steps + 1):
        model(noise(2, 160, state.step), torch.tensor([0, 1])).total.backward()
        state.optimizer.step()
    state.interval_sums = {"steps": torch.tensor(float(steps)), "usage": torch.arange(8.0)}
    return state


@pytest.mark.parametrize("step", ["-5", "1e400", "1.0", "true", "null", '"²"', "[1]", "9" * 5000])
def test_a_step_that_is_no_number_of_steps(step: str, tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, trained(1), keep=1)
    (folder / "state.json").write_text(f'{{"stage": 0, "step": {step}, "interval_sums": {{}}}}')
    with pytest.raises(DamagedCheckpoint, match="stage_0_step_1: damaged checkpoint"):
        load_checkpoint(folder, trained(0))


@pytest.mark.parametrize(
    "sums",
    [[], 3, {"usage": [1]}, {"steps": 2}, {"steps": [1]}, {"steps": "1"}, {"steps": 1, "a": None}]
    + [{"steps": 1, "a": [[1]]}, {"steps": 1, "a": 10**400}, {"steps": 1, "a": 1e300}, {"steps": -math.inf}],
)
def test_sums_that_are_none(sums: Any, tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, trained(1), keep=1)
    (folder / "state.json").write_text(json.dumps({"stage": 0, "step": 1, "interval_sums": sums}))
    with pytest.raises(DamagedCheckpoint, match="stage_0_step_1: damaged checkpoint"):
        load_checkpoint(folder, trained(0))


def test_a_device_as_state_file(tmp_path: Path) -> None:
    folder = save_checkpoint(tmp_path, trained(1), keep=1)
    (folder / "state.json").unlink()
    (folder / "state.json").symlink_to("/dev/zero")
    with pytest.raises(DamagedCheckpoint, match="a pipe or device, not a file"):
        load_checkpoint(folder, trained(0))


def replaced(name: str, value: Callable[[Tensor], Tensor]) -> Callable[[dict[str, Tensor]], None]:
    """Changes one moment of the first weight."""

    def change(tensors: dict[str, Tensor]) -> None:
        key = next(key for key in tensors if key.endswith(f"/{name}"))
        tensors[key] = value(tensors[key])

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda tensors: tensors.pop(next(key for key in tensors if key.endswith("/exp_avg"))),
        lambda tensors: tensors.pop(next(key for key in tensors if key.endswith("/step"))),
        lambda tensors: tensors.update({"more/exp_avg": torch.zeros(2)}),
        lambda tensors: tensors.update({"": torch.zeros(2)}),
        replaced("exp_avg", torch.Tensor.long),
        replaced("exp_avg", torch.Tensor.double),
        replaced("exp_avg", lambda moment: moment + 3e38),
        replaced("exp_avg_sq", lambda moment: moment - 1),
        replaced("exp_avg_sq", lambda moment: moment * torch.nan),
        replaced("exp_avg_sq", lambda moment: moment.flatten()[:1]),
        replaced("step", lambda step: step - 5),
        replaced("step", lambda step: step * torch.inf),
        replaced("step", lambda step: step[None]),
    ],
)
def test_moments_that_adam_cannot_have_left(
    change: Callable[[dict[str, Tensor]], None], tmp_path: Path
) -> None:
    folder = save_checkpoint(tmp_path, trained(2), keep=1)
    tensors = read_tensors(folder / "optimizer.safetensors")
    change(tensors)
    write_tensors(folder / "optimizer.safetensors", tensors)
    with pytest.raises(DamagedCheckpoint, match="stage_0_step_2: damaged checkpoint .moments of"):
        load_checkpoint(folder, trained(0))


@pytest.mark.parametrize("name", ["stage_0_step_²", "stage_0_step_٣", "stage_0_step_-5", "step_²", "x"])
def test_folders_of_other_names_are_no_checkpoints(name: str, tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / name).mkdir(parents=True)
    (tmp_path / "checkpoints" / name / "COMPLETE").touch()
    assert list_checkpoints(tmp_path) == []


def test_a_folder_or_device_as_metrics_log(tmp_path: Path) -> None:
    (tmp_path / "a/metrics.jsonl").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    (tmp_path / "b/metrics.jsonl").symlink_to("/dev/zero")
    for run in ("a", "b"):
        with pytest.raises(UserError, match=f"{run}/metrics.jsonl: .*; move it away and resume"):
            MetricsLog(tmp_path / run, ["main"])


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path) -> None:
    state = trained(1)
    save_checkpoint(tmp_path, state, keep=1)
    state.step = 2
    next(state.model.parameters()).data[0] = torch.nan
    with pytest.raises(UserError, match="stage_0_step_2: tensor .* holds NaN or Inf; lower train.learn"):
        save_checkpoint(tmp_path, state, keep=1)
    assert [folder.name for folder in list_checkpoints(tmp_path)] == ["stage_0_step_1"]


def test_sums_of_another_shape_are_left_out_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = nn.Linear(2, 1)

    def losses(wave: Tensor) -> PretrainingLosses:
        loss = model(wave).square().mean()
        return PretrainingLosses(loss, loss.detach())

    def batches(step: int) -> Any:
        while True:
            yield (torch.ones(1, 2),)

    stage = Stage("main", 4, batches, losses, [ParameterGroup(list(model.parameters()))], lambda step: 0.1)
    config = TrainConfig(steps=4, save_every=3, keep_checkpoints=2)
    fit(model, [stage], tmp_path, config)
    newest = list_checkpoints(tmp_path)[-1]
    for path in newest.iterdir():
        path.unlink()
    newest.rmdir()
    path = tmp_path / "checkpoints/stage_0_step_3/state.json"
    content = json.loads(path.read_text())
    content["interval_sums"]["usage"] = [1, 2, 3]
    path.write_text(json.dumps(content))
    fit(model, [stage], tmp_path, config)
    assert "the checkpoint holds sums of other losses" in caplog.text
    assert json.loads((tmp_path / "metrics.jsonl").read_text().splitlines()[-1])["step"] == 4
