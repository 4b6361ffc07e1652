"""The resumable sampler: an endless shuffled sequence of items, split over processes.

Position i of the sequence is a pure function of (seed, i). Training step s of batch size B reads the
positions [s B, (s + 1) B), so a run resumes at any step without stored state.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from torch.utils.data import DataLoader, Dataset, Sampler

from speechvq.errors import UserError

_ORDER, _OFFSET = 0, 1  # random streams of a seed


class ShuffledEpochs:
    """An endless sequence of items, with another order in each epoch.

    Args:
        items: (N,), the items of one epoch.
        seed: of the orders; epoch e is shuffled by the generator of (*seed, e).
    """

    def __init__(self, items: np.ndarray, seed: tuple[int, ...]) -> None:
        self._items, self._seed = items, seed
        self._epoch, self._order = -1, items

    def __len__(self) -> int:
        """Items per epoch."""
        return len(self._items)

    def __getitem__(self, position: int) -> int:
        """The item at a position, which may exceed the length."""
        epoch, place = divmod(position, len(self._items))
        if epoch != self._epoch:
            generator = np.random.default_rng((*self._seed, epoch))
            self._epoch, self._order = epoch, generator.permutation(self._items)
        return int(self._order[place])


class ShuffledCrops:
    """An endless sequence of random crops.

    An epoch holds as many crops of each item as fit into it, at least one, in random order. Each crop starts
    at a random offset.

    Args:
        lengths: (N,), the items' lengths.
        crop: length of a crop, in the same unit; a shorter item gives crops that start at 0.
        seed: of orders and offsets.
    """

    def __init__(self, lengths: np.ndarray, crop: int, seed: int) -> None:
        crops_per_item = np.maximum(lengths // crop, 1)
        self._epochs = ShuffledEpochs(np.repeat(np.arange(len(lengths)), crops_per_item), (seed, _ORDER))
        self._lengths, self._crop, self._seed = lengths, crop, seed

    def __len__(self) -> int:
        """Crops per epoch."""
        return len(self._epochs)

    def __getitem__(self, position: int) -> tuple[int, int]:
        """Item and start of the crop at a position, which may exceed the length."""
        item = self._epochs[position]
        last_start = max(int(self._lengths[item]) - self._crop, 0)
        generator = np.random.default_rng((self._seed, _OFFSET, position))
        return item, int(generator.integers(last_start + 1))


def step_positions(batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1) -> Iterator[range]:
    """The positions that this process reads, one range of batch / world_size per training step, without end.

    Args:
        batch: items per step, over all processes.
        step: first step; the positions are those that an unbroken run reads from there.
        rank: index of this process.
        world_size: number of processes.

    Raises:
        UserError: the batch cannot be split equally.
    """
    if batch % world_size:
        raise UserError(f"data.batch = {batch} cannot be split over {world_size} processes; take a multiple")
    size = batch // world_size
    while True:
        first = step * batch + rank * size
        yield range(first, first + size)
        step += 1


def shuffled_batches(
    count: int, batch: int, seed: int, *, step: int = 0, rank: int = 0, world_size: int = 1
) -> Iterator[np.ndarray]:
    """Endless batches of indices (batch / world_size,), int64 in [0, count).

    Args:
        count: number of items; may be smaller than the batch.
        batch: items per step, over all processes.
        seed: of the epochs' orders.
        step: first step, see `step_positions`.
        rank: index of this process.
        world_size: number of processes.

    Raises:
        UserError: the batch cannot be split equally.
    """
    epochs = ShuffledEpochs(np.arange(count), (seed,))
    for positions in step_positions(batch, step=step, rank=rank, world_size=world_size):
        yield np.array([epochs[position] for position in positions])


class _Positions(Sampler[int]):
    """The positions of `step_positions`, one by one."""

    def __init__(self, steps: Iterator[range]) -> None:
        self._steps = steps

    def __iter__(self) -> Iterator[int]:
        for positions in self._steps:
            yield from positions


def load_batches(
    dataset: Dataset[Any], batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1, workers: int = 0
) -> Iterator[Any]:
    """Endless batches of a data set, collated, from a training step on.

    Args:
        dataset: maps a position to an item, as a pure function.
        batch: items per step, over all processes.
        step: first step, see `step_positions`.
        rank: index of this process.
        world_size: number of processes.
        workers: reading processes; the batches are the same for any number.

    Raises:
        UserError: the batch cannot be split equally.
    """
    positions = _Positions(step_positions(batch, step=step, rank=rank, world_size=world_size))
    yield from DataLoader(dataset, batch // world_size, sampler=positions, num_workers=workers)
