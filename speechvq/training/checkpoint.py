"""Checkpoints of a training run, in safetensors and JSON.

An incomplete checkpoint is ignored. Resuming is bit-exact.

The checkpoint of step M of stage N is the folder `checkpoints/stage_N_step_M`. It holds `model.safetensors`,
`optimizer.safetensors`, `ema.safetensors` if the stage averages its weights, `state.json` and, written last,
the marker `COMPLETE`. The folder is written under another name and then renamed, so a crash leaves the
previous checkpoint whole. Random states are not stored, because they are a function of seed and step.
"""

import json
import math
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from speechvq.errors import UserError, short_repr
from speechvq.io.atomic import atomic_folder, write_text
from speechvq.io.reading import PERMISSION_REMEDY, open_regular
from speechvq.io.tensors import check_finite, check_tensors, read_tensors, write_tensors
from speechvq.training.ema import EMA

MARKER = "COMPLETE"
DAMAGED = ".damaged"  # added to the name of a checkpoint that is set aside
_NAME = re.compile(r"stage_(?P<stage>[0-9]{1,9})_step_(?P<step>[0-9]{1,18})")
_STATE = "state.json"
_MAX_STATE_BYTES = 1 << 26  # bytes; the usage of 65,536 codes takes about one megabyte
_MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # of a weight, in the state of Adam
MAX_SUM = 1e30  # of losses; a larger number means damage
# |exp_avg| <= 7.3 sqrt(exp_avg_sq) for Adam's decays 0.9 and 0.999, by the Cauchy-Schwarz inequality. The
# second number covers gradients whose squares are rounded to 0.
_MOMENT_RATIO, _MOMENT_SLACK = 10.0, 1e-15


class DamagedCheckpoint(UserError):
    """A checkpoint that cannot be resumed from; the one before it may be whole."""


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
        UserError: the disk is full or read-only, or a weight is NaN or infinite; the previous checkpoint
            stays whole.
    """
    folder = run / "checkpoints" / f"stage_{state.stage}_step_{state.step}"
    if (folder / MARKER).exists():
        return folder
    check_finite(folder, state.model.state_dict(), "lower train.learning_rate and resume")
    _remove_incomplete(folder.parent)
    sums = {name: total.tolist() for name, total in state.interval_sums.items()}
    position = {"stage": state.stage, "step": state.step}
    with atomic_folder(folder) as temporary:
        write_tensors(temporary / "model.safetensors", state.model.state_dict())
        if state.ema is not None:
            write_tensors(temporary / "ema.safetensors", state.ema.tensors)
        write_tensors(temporary / "optimizer.safetensors", _optimizer_tensors(state))
        write_text(temporary / _STATE, json.dumps(position | {"interval_sums": sums}))
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
        DamagedCheckpoint: the run has no such stage.
    """
    stage, step = _position(checkpoint)
    if stage >= stages:
        raise DamagedCheckpoint(f"{checkpoint}: this run has no stage {stage}; {_remedy(checkpoint)}")
    return stage, step


def set_aside(checkpoint: Path) -> Path:
    """Rename a damaged checkpoint, so that it is no longer taken for one; returns the new path.

    Raises:
        UserError: the folder is not writable.
    """
    target = checkpoint.with_name(checkpoint.name + DAMAGED)
    try:
        shutil.rmtree(target, ignore_errors=True)
        return checkpoint.rename(target)
    except OSError as error:
        raise UserError(
            f"{checkpoint}: cannot be renamed ({error.strerror}); {_remedy(checkpoint)}"
        ) from None


def _position(folder: Path) -> tuple[int, int]:
    found = _NAME.fullmatch(folder.name)
    assert found is not None
    return int(found["stage"]), int(found["step"])


def _remedy(folder: Path) -> str:
    return f"delete {folder} to resume from the checkpoint before it, or to start again without one"


def load_checkpoint(folder: Path, state: TrainingState) -> None:
    """Set model, optimizer, averages and step to those of a checkpoint of the state's stage.

    Nothing is changed before all was checked.

    Raises:
        DamagedCheckpoint: a file is damaged, hostile or of another configuration.
        UserError: a file may not be read.
    """
    for path in folder.iterdir():
        if path.exists() and not os.access(path, os.R_OK):
            raise UserError(f"{path}: {PERMISSION_REMEDY}")
    try:
        interval_sums = _read_interval_sums(folder, state)
        weights = ("model",) if state.ema is None else ("model", "ema")
        tensors = {name: read_tensors(folder / f"{name}.safetensors") for name in (*weights, "optimizer")}
        for name in weights:
            check_tensors(folder / f"{name}.safetensors", tensors[name], state.model.state_dict())
        optimizer = _optimizer_state(state, tensors["optimizer"], _position(folder)[1])
    except (ValueError, LookupError, TypeError, AttributeError, OSError, RecursionError) as error:
        raise DamagedCheckpoint(f"{folder}: damaged checkpoint ({error}); {_remedy(folder)}") from None
    state.model.load_state_dict(tensors["model"])
    if state.ema is not None:
        state.ema.load(tensors["ema"])
    state.optimizer.load_state_dict(optimizer)
    state.step, state.interval_sums = _position(folder)[1], interval_sums


def _read_interval_sums(folder: Path, state: TrainingState) -> dict[str, Tensor]:
    """The sums of `state.json`, whose position has to be that of the folder.

    Raises:
        ValueError, TypeError, LookupError, AttributeError, OSError, RecursionError: it is not as
            `save_checkpoint` writes it.
    """
    with open_regular(folder / _STATE) as file:
        text = file.read(_MAX_STATE_BYTES + 1)
    if len(text) > _MAX_STATE_BYTES:
        raise ValueError(f"{_STATE} is larger than {_MAX_STATE_BYTES} bytes")
    progress = json.loads(text)
    position = (progress["stage"], progress["step"])
    if position != (state.stage, _position(folder)[1]) or set(map(type, position)) != {int}:
        raise ValueError(f"{_STATE} is of stage {short_repr(position[0])}, step {short_repr(position[1])}")
    sums = {name: _as_sums(name, total) for name, total in progress["interval_sums"].items()}
    if sums and ("steps" not in sums or not 1 <= float(sums["steps"]) <= position[1]):
        raise ValueError(f"{_STATE} does not say how many steps were summed")
    return sums


def _as_sums(name: str, total: Any) -> Tensor:
    """A number, or numbers in a list, as float64; NaN or infinite if an update was lost."""
    numbers = total if isinstance(total, list) and name != "steps" else [total]
    for number in numbers:
        if type(number) not in (int, float) or MAX_SUM < abs(number) < math.inf:
            raise ValueError(f"{_STATE}: {short_repr(name)} holds {short_repr(number)}")
    return torch.tensor(total, dtype=torch.float64)


def _optimizer_tensors(state: TrainingState) -> dict[str, Tensor]:
    """Adam's moments by "name of the weight/name of the moment"."""
    names = {id(p): name for name, p in state.model.named_parameters()}
    return {
        f"{names[id(parameter)]}/{key}": torch.as_tensor(value)
        for parameter, moments in state.optimizer.state.items()
        for key, value in moments.items()
    }


def _optimizer_state(state: TrainingState, tensors: dict[str, Tensor], steps: int) -> dict[str, Any]:
    """The optimizer's state_dict with the moments of a file.

    Args:
        state: with the optimizer of the checkpoint's stage.
        tensors: as of `_optimizer_tensors`.
        steps: done in the stage.

    Raises:
        ValueError: a moment is unknown, missing, of another type or shape than its weight, or out of range.
    """
    names = {id(p): name for name, p in state.model.named_parameters()}
    current = state.optimizer.state_dict()
    numbers: dict[str, int] = {}
    weights: dict[str, Tensor] = {}
    for live, saved in zip(state.optimizer.param_groups, current["param_groups"]):
        for parameter, number in zip(live["params"], saved["params"]):
            numbers[names[id(parameter)]], weights[names[id(parameter)]] = number, parameter.detach()
    by_weight: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, _, moment = key.rpartition("/")
        by_weight.setdefault(name, {})[moment] = tensor
    moments: dict[int, dict[str, Tensor]] = {}
    for name, each in by_weight.items():
        if name not in weights:
            raise ValueError(f"moments of {short_repr(name)}, which is no weight of this stage")
        _check_moments(name, each, weights[name], steps)
        # The fused Adam reads memory in order: moments need the memory format of their weight.
        moments[numbers[name]] = {
            key: torch.empty_like(weights[name]).copy_(tensor) if key != "step" else tensor
            for key, tensor in each.items()
        }
    return {"state": moments, "param_groups": current["param_groups"]}


def _check_moments(name: str, moments: Mapping[str, Tensor], weight: Tensor, steps: int) -> None:
    """Refuse what Adam cannot have left of a weight after some steps.

    Raises:
        ValueError: names the weight.
    """
    shapes = {key: (tensor.shape, tensor.dtype) for key, tensor in moments.items()}
    expected = dict.fromkeys(("exp_avg", "exp_avg_sq"), (weight.shape, weight.dtype))
    if shapes != expected | {"step": (torch.Size(()), torch.float32)}:
        raise ValueError(f"moments of '{name}' are not {', '.join(_MOMENTS)} of shape {tuple(weight.shape)}")
    mean, square, step = moments["exp_avg"], moments["exp_avg_sq"], float(moments["step"])
    is_possible = mean.abs() <= _MOMENT_RATIO * square.sqrt() + _MOMENT_SLACK  # false for NaN
    if not is_possible.all() or not square.isfinite().all() or not 1 <= step <= steps:
        raise ValueError(f"moments of '{name}' are out of range")
