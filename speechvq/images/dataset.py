"""Prepared pictures, and the endless walk through them that training takes."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.config import ImageRun, read_run
from speechvq.errors import UserError
from speechvq.images.preparation import read_meta


class ImageSet(NamedTuple):
    """The pictures of a split."""

    pixels: np.ndarray  # (N, 3, H, W), uint8; mapped from the disk, not read
    labels: np.ndarray  # (N,), int64
    classes: list[str]

    def batch(self, which: np.ndarray | slice) -> Tensor:
        """Some pictures, (B, 3, H, W), uint8."""
        return torch.from_numpy(np.array(self.pixels[which]))


def read_images(root: str | Path, split: str) -> ImageSet:
    """A split of a folder that `prepare` made.

    Raises:
        UserError: no such folder or split; a file damaged or of another size than described.
    """
    root = Path(root)
    meta = read_meta(root)
    if split not in meta.splits:
        raise UserError(f"{root}: no split '{split}'; there are {', '.join(meta.splits)}")
    count = meta.splits[split]
    pixels = _load(root / f"{split}.npy", (count, 3, meta.size, meta.size), np.uint8)
    return ImageSet(pixels, np.array(_load(root / f"{split}_labels.npy", (count,), np.int64)), meta.classes)


def pictures_of(run: Path) -> str:
    """The folder of prepared pictures that an image model's run was trained on.

    Raises:
        UserError: no run of an image model.
    """
    config = read_run(run / "config.yaml")
    if not isinstance(config, ImageRun):
        raise UserError(f"{run}: no run of an image model, so it knows no pictures; say which")
    return config.data.root


def check_size(images: ImageSet, size: int, where: str) -> None:
    """Refuse pictures of another size than a model's.

    Raises:
        UserError: names both sizes, and where the pictures are.
    """
    if images.pixels.shape[-1] != size:
        raise UserError(
            f"{where}: pictures of {images.pixels.shape[-1]} pixels, and the model's have {size}; prepare "
            f"them with --size {size}, or set model.autoencoder.size"
        )


def walk(
    count: int, batch: int, seed: int, *, step: int = 0, rank: int = 0, world_size: int = 1
) -> Iterator[np.ndarray]:
    """Endless batches of numbers below `count` from a training step on: each epoch another order.

    Args:
        count: how many things there are.
        batch: how many a step, over all processes; may exceed `count`.
        seed: of the orders.
        step: first step; the batches are those an unbroken run would see from there.
        rank: number of this process, which gets its equal share (batch / world_size,) of each.
        world_size: how many processes share a batch.

    Raises:
        UserError: the batch cannot be shared equally.
    """
    if batch % world_size:
        raise UserError(f"data.batch = {batch} cannot be shared by {world_size} processes; take a multiple")
    share, known, order = batch // world_size, -1, np.empty(0, np.int64)
    while True:
        first = step * batch + rank * share
        numbers = []
        for place in range(first, first + share):
            epoch, within = divmod(place, count)
            if epoch != known:
                known, order = epoch, np.random.default_rng((seed, epoch)).permutation(count)
            numbers.append(order[within])
        yield np.array(numbers)
        step += 1


def _load(path: Path, shape: tuple[int, ...], kind: type) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error}); prepare the pictures again") from None
    if array.shape != shape or array.dtype != kind:
        raise UserError(
            f"{path}: {array.shape} {array.dtype}, described as {shape}; prepare the pictures again"
        )
    return array
