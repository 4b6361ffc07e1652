"""What the training loop needs to train one kind of model, and the run of a task from start to export."""

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
from speechvq.runtime.device import find_device
from speechvq.runtime.logging import logger
from speechvq.runtime.memory import keep_freed_memory
from speechvq.training.ema import ema_weights
from speechvq.training.loop import fit
from speechvq.training.signals import Interrupted
from speechvq.training.stage import Stage


class TrainingTask(NamedTuple):
    """A model, the stages of its training, and how it is exported."""

    model: nn.Module  # on its device
    stages: tuple[Stage, ...]  # the last one is the main stage
    export: Callable[[Path, nn.Module], None]  # writes a model directory
    compile: Callable[[], None] | None = None  # fuses the model's kernels, where that is known to work


def run_training(task: TrainingTask, out: Path, config: TrainConfig) -> int:
    """Train to the last step of the last stage and export the averaged weights to `out/model`.

    Returns:
        0, or 128 + the number of the signal that stopped the run, after a checkpoint was written.

    Raises:
        UserError: train.compile is set, and this kind of model cannot be compiled.
    """
    keep_freed_memory()
    if config.compile:
        if task.compile is None:
            raise UserError("train.compile=true is for image models only; leave it out")
        task.compile()
    try:
        state = fit(task.model, task.stages, out, config)
    except Interrupted as stop:
        logger.info("%s", stop)
        return 128 + stop.signum
    if distributed.rank() == 0:
        with ema_weights(task.model, state.ema) as model:
            task.export(out / "model", model)
        logger.info("the model is in %s", out / "model")
    return 0


@contextmanager
def distributed_device(name: str) -> Iterator[torch.device]:
    """The device of a name; joins the other processes when started by torchrun, each on its own GPU.

    Raises:
        UserError: there is no such device, several processes on one GPU, or processes that cannot be reached.
    """
    device = find_device(name)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:
        if device.index is not None:
            raise UserError(f"--device {name}: every process of torchrun has its own GPU; give cuda")
        if device.type == "cuda":
            device = find_device(f"cuda:{os.environ.get('LOCAL_RANK', 0)}")
        try:
            with distributed.lost_processes_noticed():
                dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
        except distributed.ProcessLost as error:
            raise UserError(
                f"the processes of torchrun cannot reach one another ({error}); check --rdzv-endpoint and "
                "the firewall, and set GLOO_SOCKET_IFNAME or NCCL_SOCKET_IFNAME to the network interface"
            ) from error
    try:
        yield device
    finally:
        if dist.is_initialized():
            dist.destroy_process_group()
