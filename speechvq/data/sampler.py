"""An endless walk through a data set, shared out among processes, that can begin at any training step."""

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader, Dataset, Sampler

from speechvq.errors import UserError


class _Walk(Sampler[int]):
    """Numbers of this process's items from a step on: of every global batch its equal share."""

    def __init__(self, batch: int, step: int, rank: int, world_size: int) -> None:
        self.batch, self.step, self.rank, self.share = batch, step, rank, batch // world_size

    def __iter__(self) -> Iterator[int]:
        step = self.step
        while True:
            first = step * self.batch + self.rank * self.share
            yield from range(first, first + self.share)
            step += 1


def batches(
    dataset: Dataset[Any], batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1, workers: int = 0
) -> Iterator[Any]:
    """Endless batches from a training step on.

    Args:
        dataset: whose item of any number is a pure function of that number.
        batch: items a step over all processes.
        step: first step; the batches are those an unbroken run would see from there.
        rank: number of this process.
        world_size: how many processes share a batch.
        workers: reading processes; the batches are the same for any number.

    Raises:
        UserError: the batch cannot be shared equally.
    """
    if batch % world_size:
        raise UserError(f"data.batch = {batch} cannot be shared by {world_size} processes; take a multiple")
    walk = _Walk(batch, step, rank, world_size)
    yield from DataLoader(dataset, batch // world_size, sampler=walk, num_workers=workers)
