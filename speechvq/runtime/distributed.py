"""Collective operations between `torchrun` processes; with one process they return their input."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor


def rank() -> int:
    """Index of this process; 0 without other processes."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """Number of processes."""
    return dist.get_world_size() if dist.is_initialized() else 1


class ProcessLost(RuntimeError):
    """Another process has ended or cannot be reached, so what all processes do together is impossible."""


@contextmanager
def lost_processes_noticed() -> Iterator[None]:
    """Raise ProcessLost for the errors of connections to other processes."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error, dist.DistError) or "gloo" in str(error).lower():
            raise ProcessLost(_reason(error)) from error
        raise


def _reason(error: RuntimeError) -> str:
    """The first sentence of an error, without the place in the library's source: "[...pair.cc:534] ..."."""
    line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    line = line.partition("] ")[2] if line.startswith("[") and "] " in line else line
    return line.partition(". ")[0]


def all_reduce_sum(tensor: Tensor) -> Tensor:
    """The sum over all processes, in place; any shape."""
    if world_size() > 1:
        with lost_processes_noticed():
            dist.all_reduce(tensor)
    return tensor


def mean_over_processes(tensor: Tensor) -> Tensor:
    """The mean over all processes, the same on each; any shape, float."""
    return tensor if world_size() == 1 else all_reduce_sum(tensor.clone()) / world_size()


def broadcast(tensor: Tensor) -> Tensor:
    """Overwrite a tensor of any shape and type with that of the first process."""
    if world_size() > 1:
        raw = tensor.reshape(-1).contiguous().view(torch.uint8)  # gloo cannot send bool
        with lost_processes_noticed():
            dist.broadcast(raw, src=0)
        tensor.copy_(raw.view(tensor.dtype).view(tensor.shape))
    return tensor


class _DifferentiableSum(torch.autograd.Function):
    """Sum over processes. Each summand changes the losses of all processes, so gradients are summed too."""

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        return all_reduce_sum(tensor.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return all_reduce_sum(gradient.clone())


def differentiable_all_reduce(tensor: Tensor) -> Tensor:
    """The sum over all processes, with a gradient; any shape."""
    return _DifferentiableSum.apply(tensor)


def all_gather_rows(tensor: Tensor) -> Tensor:
    """Rows of all processes in the order of ranks: (n, D) to (world size x n, D); n is the same on each."""
    if world_size() == 1:
        return tensor
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    with lost_processes_noticed():
        dist.all_gather(parts, tensor.contiguous())
    return torch.cat(parts)
