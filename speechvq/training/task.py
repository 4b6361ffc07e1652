"""What the one loop needs to train a model of any kind, and how it is run."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import torch
import torch.distributed as dist
from torch import nn

from speechvq.config import TrainConfig
from speechvq.errors import UserError
from speechvq.runtime import distributed
from speechvq.runtime.memory import keep_freed_memory
from speechvq.training.checkpoint import list_checkpoints
from speechvq.training.loop import Batches, Evaluate, Interrupted, ema_weights, fit
from speechvq.training.metrics_log import say


class TrainingTask(NamedTuple):
    """A model and all that is particular to teaching it."""

    model: nn.Module  # on its device; called with a batch's tensors it returns Losses
    batches: Batches  # endless batches from a step on
    evaluate: Evaluate  # measures a model on held-out data
    export: Callable[[Path, nn.Module], None]  # writes a model directory
    pretrain: Callable[[], None] = lambda: (
        None
    )  # what comes before the first step of a run that was not begun yet
    compile: Callable[[], None] | None = None  # fuses the model's kernels, where that is known to work


def run_training(task: TrainingTask, out: Path, config: TrainConfig) -> int:
    """Train to the last step and export the averaged weights to `out/model`.

    Returns:
        0, or 128 + the number of the signal that stopped the run; it was saved first.

    Raises:
        UserError: train.compile, and this kind of model cannot be compiled.
    """
    keep_freed_memory()
    if config.compile:
        if task.compile is None:
            raise UserError("train.compile=true is for image models only; leave it out")
        task.compile()
    try:
        if not list_checkpoints(out):
            task.pretrain()
        state = fit(task.model, task.batches, task.evaluate, out, config)
    except Interrupted as stop:
        say(str(stop))
        return 128 + stop.signum
    if distributed.rank() == 0:
        task.export(out / "model", ema_weights(state))
        say(f"the model is in {out / 'model'}")
    return 0


@contextmanager
def distributed_device(device: str) -> Iterator[torch.device]:
    """The device asked for or the best there is; with the other processes when started by torchrun.

    Raises:
        UserError: no such device here.
    """
    local = int(os.environ.get("LOCAL_RANK", 0))
    cuda = device.startswith("cuda") or (not device and torch.cuda.is_available())
    if cuda and not torch.cuda.is_available():
        raise UserError(f"--device {device}: no GPU here; leave the flag out")
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        dist.init_process_group("nccl" if cuda else "gloo")
    try:
        yield _device(f"cuda:{local}" if cuda else device or "cpu")
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()


def _device(name: str) -> torch.device:
    try:
        return torch.device(name)
    except RuntimeError:
        raise UserError(f"--device {name}: expected cpu or cuda") from None
