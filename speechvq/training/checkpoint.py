"""Checkpoints of a training run, in safetensors and JSON.

An incomplete checkpoint is ignored. Resuming is bit-exact.

The checkpoint of step M of stage N is the folder `checkpoints/stage_N_step_M`. It holds `model.safetensors`,
`optimizer.safetensors`, `ema.safetensors` if the stage averages its weights, `state.json` and, written last,
the marker `COMPLETE`. The folder is written under another name and then renamed, so a crash leaves the
previous checkpoint whole. Random states are not stored, because they are a function of seed and step.
"""

import json
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_folder, write_text
from speechvq.io.tensors import check_tensors, read_tensors, write_tensors
from speechvq.training.ema import EMA

MARKER = "COMPLETE"
_NAME = re.compile(r"stage_(?P<stage>\d+)_step_(?P<step>\d+)")


@dataclass
class TrainingState:
    """Everything that changes during training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: EMA | None  # None in a stage that keeps no average
    stage: int = 0  # index of the stage
    step: int = 0  # updates done in the stage
    interval_sums: dict[str, Tensor] = field(default_factory=dict)  # sums since the last line of the log


def save_checkpoint(run: Path, state: TrainingState, keep: int) -> Path:
    """Write the checkpoint of a state and remove all but the newest `keep`.

    Raises:
        UserError: the disk is full or read-only; the previous checkpoint stays whole.
    """
    folder = run / "checkpoints" / f"stage_{state.stage}_step_{state.step}"
    if (folder / MARKER).exists():
        return folder
    _remove_incomplete(folder.parent)
    sums = {name: total.tolist() for name, total in state.interval_sums.items()}
    position = {"stage": state.stage, "step": state.step}
    with atomic_folder(folder) as temporary:
        write_tensors(temporary / "model.safetensors", state.model.state_dict())
        if state.ema is not None:
            write_tensors(temporary / "ema.safetensors", state.ema.tensors)
        write_tensors(temporary / "optimizer.safetensors", _optimizer_tensors(state))
        write_text(temporary / "state.json", json.dumps(position | {"interval_sums": sums}))
        (temporary / MARKER).touch()
    for old in list_checkpoints(run)[:-keep]:
        _remove(old)
    return folder


def _remove_incomplete(checkpoints: Path) -> None:
    """Delete what a process that was killed within `_remove` left: the marker is gone, the rest is not."""
    for folder in checkpoints.glob("*"):
        if _NAME.fullmatch(folder.name) and not (folder / MARKER).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _remove(folder: Path) -> None:
    """Delete a checkpoint, its marker first, so that a partly deleted one does not count as complete."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


def list_checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    complete = [marker.parent for marker in run.glob(f"checkpoints/*/{MARKER}")]
    return sorted((folder for folder in complete if _NAME.fullmatch(folder.name)), key=_position)


def stage_and_step(checkpoint: Path, stages: int) -> tuple[int, int]:
    """Index of the stage and step at which a checkpoint was written.

    Raises:
        UserError: the run has no such stage.
    """
    stage, step = _position(checkpoint)
    if stage >= stages:
        raise UserError(f"{checkpoint}: this run has no stage {stage}; {_remedy(checkpoint)}")
    return stage, step


def _position(folder: Path) -> tuple[int, int]:
    found = _NAME.fullmatch(folder.name)
    assert found is not None
    return int(found["stage"]), int(found["step"])


def _remedy(folder: Path) -> str:
    return f"delete {folder} to resume from the checkpoint before it"


def load_checkpoint(folder: Path, state: TrainingState) -> None:
    """Set model, optimizer, averages and step to those of a checkpoint of the state's stage.

    Raises:
        UserError: a file is damaged or of another configuration; nothing is changed before all was checked.
    """
    try:
        progress = json.loads((folder / "state.json").read_text())
        stage, step = int(progress["stage"]), int(progress["step"])
        if (stage, step) != (state.stage, _position(folder)[1]):
            raise ValueError(f"state.json is of stage {stage}, step {step}")
        sums = progress["interval_sums"]
        interval_sums = {name: torch.tensor(total, dtype=torch.float64) for name, total in sums.items()}
        weights = ("model",) if state.ema is None else ("model", "ema")
        tensors = {name: read_tensors(folder / f"{name}.safetensors") for name in (*weights, "optimizer")}
        for name in weights:
            check_tensors(folder / f"{name}.safetensors", tensors[name], state.model.state_dict())
        optimizer = _optimizer_state(state, tensors["optimizer"])
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise UserError(f"{folder}: damaged checkpoint ({error}); {_remedy(folder)}") from None
    state.model.load_state_dict(tensors["model"])
    if state.ema is not None:
        state.ema.load(tensors["ema"])
    state.optimizer.load_state_dict(optimizer)
    state.step, state.interval_sums = step, interval_sums


def _optimizer_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Adam's moments by "name of the weight/name of the moment"."""
    names = {id(p): name for name, p in state.model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": torch.as_tensor(value)
        for parameter, moments in state.optimizer.state.items()
        for key, value in moments.items()
    }


def _optimizer_state(state: TrainingState, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The optimizer's state_dict with the moments of a file.

    Raises:
        UserError: a moment has another shape than its weight.
    """
    names = {id(p): name for name, p in state.model.named_parameters()}
    current = state.optimizer.state_dict()
    numbers: dict[str, int] = {}
    weights: dict[str, Tensor] = {}
    for live, saved in zip(state.optimizer.param_groups, current["param_groups"]):
        for parameter, number in zip(live["params"], saved["params"]):
            numbers[names[id(parameter)]], weights[names[id(parameter)]] = number, parameter.detach()
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, moment = key.rpartition("/")
        if tensor.dim():
            if tensor.shape != weights[name].shape:
                raise UserError(
                    f"moment '{key}' has shape {tuple(tensor.shape)}, its weight {tuple(weights[name].shape)}"
                )
            # The fused Adam reads memory in order: moments need the memory format of their weight.
            tensor = torch.empty_like(weights[name], dtype=tensor.dtype).copy_(tensor)
        moments.setdefault(numbers[name], {})[moment] = tensor
    return {"state": moments, "param_groups": current["param_groups"]}
