"""Checkpoints: complete or ignored, safetensors and JSON, enough to continue bit by bit.

A checkpoint is a folder `checkpoints/step_N` with `model`, `ema` and `optimizer` (.safetensors),
`state.json` and, written last, the marker `COMPLETE`. It is made under another name and renamed, so a crash
at any moment leaves the one before it whole. The random state needs no place: it is a function of seed and
step.
"""

import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speechvq.errors import UserError
from speechvq.io.atomic import atomic_folder, remove_temporaries, write_text
from speechvq.io.tensors import check_tensors, read_tensors, write_tensors
from speechvq.training.ema import EMA

MARKER = "COMPLETE"


@dataclass
class TrainingState:
    """Everything that changes while training."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    ema: EMA
    step: int = 0
    interval_sums: dict[str, Tensor] = field(
        default_factory=dict
    )  # what the log has summed up since its last line


def save_checkpoint(run: Path, state: TrainingState, keep: int) -> Path:
    """Write `run/checkpoints/step_N` and remove all but the newest `keep`.

    Raises:
        UserError: the disk is full or read-only; the previous checkpoint stays whole.
    """
    folder = run / "checkpoints" / f"step_{state.step}"
    if (folder / MARKER).exists():
        return folder
    remove_temporaries(folder.parent)  # left by a crash
    with atomic_folder(folder) as temporary:
        write_tensors(temporary / "model.safetensors", state.model.state_dict())
        write_tensors(temporary / "ema.safetensors", state.ema.tensors)
        write_tensors(temporary / "optimizer.safetensors", _optimizer_tensors(state))
        window = {name: total.tolist() for name, total in state.interval_sums.items()}
        write_text(temporary / "state.json", json.dumps({"step": state.step, "window": window}))
        (temporary / MARKER).touch()
    for old in list_checkpoints(run)[:-keep]:
        _remove(old)
    return folder


def _remove(folder: Path) -> None:
    """Delete a checkpoint, its marker first, so that one half deleted is not taken for whole."""
    (folder / MARKER).unlink(missing_ok=True)
    shutil.rmtree(folder, ignore_errors=True)


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
        progress = json.loads((folder / "state.json").read_text())
        step, sums = int(progress["step"]), progress.get("window", {})
        window = {name: torch.tensor(total, dtype=torch.float64) for name, total in sums.items()}
        tensors = {
            name: read_tensors(folder / f"{name}.safetensors") for name in ("model", "ema", "optimizer")
        }
        for name in ("model", "ema"):
            check_tensors(folder / f"{name}.safetensors", tensors[name], state.model.state_dict())
        moments = _optimizer_state(state, tensors["optimizer"])
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise UserError(f"{folder}: damaged checkpoint ({error}); {remedy}") from None
    state.model.load_state_dict(tensors["model"])
    state.ema.load(tensors["ema"])
    state.optimizer.load_state_dict(moments)
    state.step, state.interval_sums = step, window


def _optimizer_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Adam's moments by "name of the weight/name of the moment"."""
    names = {id(p): name for name, p in state.model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": torch.as_tensor(value)
        for parameter, moments in state.optimizer.state.items()
        for key, value in moments.items()
    }


def _optimizer_state(state: TrainingState, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The optimiser's state_dict with moments taken from a file; checks every shape."""
    names = {id(p): name for name, p in state.model.named_parameters()}
    own = state.optimizer.state_dict()
    numbers: dict[str, int] = {}
    weights: dict[str, Tensor] = {}
    for live, saved in zip(state.optimizer.param_groups, own["param_groups"]):
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
            # The fused Adam walks through memory: moments must lie in it as their weight does (channels_last).
            tensor = torch.empty_like(weights[name], dtype=tensor.dtype).copy_(tensor)
        moments.setdefault(numbers[name], {})[moment] = tensor
    return {"state": moments, "param_groups": own["param_groups"]}
