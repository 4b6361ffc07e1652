"""Checkpoints: complete or ignored, safetensors and JSON, enough to continue bit by bit.

A checkpoint is a folder `checkpoints/step_N` with `model`, `average` and `optimizer` (.safetensors), `state.json`
and, written last, the marker `COMPLETE`. It is made under another name and renamed, so a crash at any moment leaves
the one before it whole. The random state needs no place: it is a function of seed and step.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from speechvq.errors import UserError
from speechvq.training.average import WeightAverage
from speechvq.weights import check_tensors, read_tensors, write_tensors

MARKER = "COMPLETE"


@dataclass
class TrainingState:
    """Everything that changes while training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    average: WeightAverage
    step: int = 0


def save_checkpoint(run: Path, state: TrainingState, keep: int) -> Path:
    """Write `run/checkpoints/step_N` and remove all but the newest `keep`.

    Raises:
        UserError: the disk is full or read-only; the previous checkpoint stays whole.
    """
    folder = run / "checkpoints" / f"step_{state.step}"
    if (folder / MARKER).exists():
        return folder
    temporary = folder.with_name(folder.name + ".part")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.mkdir(parents=True)
        write_tensors(temporary / "model.safetensors", state.model.state_dict())
        write_tensors(temporary / "average.safetensors", state.average.tensors)
        write_tensors(temporary / "optimizer.safetensors", _optimizer_tensors(state))
        (temporary / "state.json").write_text(json.dumps({"step": state.step}))
        (temporary / MARKER).touch()
        os.replace(temporary, folder)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written ({error.strerror}); free some space and start again") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    for old in list_checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return folder


def list_checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    complete = [marker.parent for marker in run.glob(f"checkpoints/step_*/{MARKER}")]
    named = [folder for folder in complete if folder.name.removeprefix("step_").isdigit()]
    return sorted(named, key=lambda folder: int(folder.name.removeprefix("step_")))


def load_checkpoint(folder: Path, state: TrainingState) -> None:
    """Set model, optimiser, averages and step to those of a checkpoint.

    Raises:
        UserError: a file is damaged or of another configuration; nothing is changed before all was checked.
    """
    remedy = f"delete {folder} to go on from the checkpoint before it"
    try:
        step = int(json.loads((folder / "state.json").read_text())["step"])
        tensors = {name: read_tensors(folder / f"{name}.safetensors") for name in ("model", "average", "optimizer")}
        for name in ("model", "average"):
            check_tensors(folder / f"{name}.safetensors", tensors[name], state.model.state_dict())
        moments = _optimizer_state(state, tensors["optimizer"])
    except (UserError, ValueError, KeyError, TypeError, OSError, RecursionError) as error:
        raise UserError(f"{folder}: damaged checkpoint ({error}); {remedy}") from None
    state.model.load_state_dict(tensors["model"])
    state.average.load(tensors["average"])
    state.optimizer.load_state_dict(moments)
    state.step = step


def _optimizer_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Adam's moments by "name of the weight/name of the moment"."""
    names = {id(p): name for name, p in state.model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": torch.as_tensor(value)
        for parameter, moments in state.optimizer.state.items()
        for key, value in moments.items()
    }


def _optimizer_state(state: TrainingState, tensors: dict[str, Tensor]) -> dict:
    """The optimiser's state_dict with moments taken from a file; checks every shape."""
    names = {id(p): name for name, p in state.model.named_parameters()}
    own = state.optimizer.state_dict()
    numbers: dict[str, int] = {}
    shapes: dict[str, torch.Size] = {}
    for live, saved in zip(state.optimizer.param_groups, own["param_groups"]):
        for parameter, number in zip(live["params"], saved["params"]):
            numbers[names[id(parameter)]], shapes[names[id(parameter)]] = number, parameter.shape
    moments: dict[int, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, moment = key.rpartition("/")
        if tensor.dim() and tensor.shape != shapes[name]:
            raise UserError(f"moment '{key}' has shape {tuple(tensor.shape)}, its weight {tuple(shapes[name])}")
        moments.setdefault(numbers[name], {})[moment] = tensor
    return {"state": moments, "param_groups": own["param_groups"]}
