"""Prepared images."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.config import ImageRun, read_run
from speechvq.errors import UserError
from speechvq.images.preparation import read_meta
from speechvq.io.hub import is_hub_name


class ImageSet(NamedTuple):
    """The images of a split."""

    pixels: np.ndarray  # (N, 3, H, W), uint8; memory-mapped
    labels: np.ndarray  # (N,), int64
    classes: list[str]

    def batch(self, indices: np.ndarray | slice) -> Tensor:
        """The images at B indices, (B, 3, H, W), uint8."""
        return torch.from_numpy(np.array(self.pixels[indices]))


def read_images(root: str | Path, split: str) -> ImageSet:
    """Read a split of a prepared folder.

    Args:
        root: the folder, as written by `prepare`.
        split: name of the split.

    Raises:
        UserError: the folder or split does not exist, or a file is damaged or of an unexpected size.
    """
    root = Path(root)
    meta = read_meta(root)
    if split not in meta.splits:
        raise UserError(f"{root}: no split '{split}'; there are {', '.join(meta.splits)}")
    count = meta.splits[split]
    pixels = _load(root / f"{split}.npy", (count, 3, meta.size, meta.size), np.uint8)
    return ImageSet(pixels, np.array(_load(root / f"{split}_labels.npy", (count,), np.int64)), meta.classes)


def training_images_root(run: Path) -> str:
    """The prepared folder that an image model was trained on.

    Args:
        run: the model's run directory.

    Raises:
        UserError: it is not a run of an image model.
    """
    if is_hub_name(run):
        raise UserError(f"{run}: a model of the hub comes without images; give prepared ones by --data")
    config = read_run(run / "config.yaml")
    if not isinstance(config, ImageRun):
        raise UserError(f"{run}: not a run of an image model; give the prepared images")
    return config.data.root


def check_size(images: ImageSet, size: int, where: str) -> None:
    """Check that images have the size that a model expects.

    Args:
        images: the images.
        size: H = W of the model, pixels.
        where: the images' folder or flag, for the message.

    Raises:
        UserError: the sizes differ.
    """
    if images.pixels.shape[-1] != size:
        raise UserError(
            f"{where}: images of {images.pixels.shape[-1]} pixels, but the model expects {size}; prepare "
            f"them with --size {size}, or set model.autoencoder.size"
        )


def _load(path: Path, shape: tuple[int, ...], kind: type) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise UserError(f"{path}: cannot be read ({error}); prepare the images again") from None
    if array.shape != shape or array.dtype != kind:
        raise UserError(f"{path}: {array.shape} {array.dtype}, expected {shape}; prepare the images again")
    return array
