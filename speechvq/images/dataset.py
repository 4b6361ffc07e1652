"""Prepared images."""

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


def training_images_root(run: Path) -> str:
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
