"""Codes of prepared images, computed by a trained model and cached beside it."""

import hashlib
from pathlib import Path

import numpy as np
import torch

from speechvq.errors import UserError
from speechvq.images.dataset import ImageSet
from speechvq.images.model_directory import CodeImageModel, ImageModel
from speechvq.images.vae import ImageVAE
from speechvq.io.atomic import atomic_file
from speechvq.io.hub import is_hub_name
from speechvq.io.model_directory import WEIGHTS, find_model_directory
from speechvq.runtime.progress import progress

BATCH = 64  # images encoded at once; bounds memory


def fingerprint(folder: str | Path) -> str:
    """A digest of a model's weights, which identifies its codes: 16 hexadecimal digits.

    Raises:
        UserError: there is no model.
    """
    return _digest((find_model_directory(folder) / WEIGHTS).read_bytes())


def check_source(folder: Path, source: str, run: str | Path) -> None:
    """Check that a prior or second stage was fitted to the codes of a run's model.

    Args:
        folder: of the prior or second stage, for the message.
        source: fingerprint of the model whose codes it was fitted to.
        run: of the model.

    Raises:
        UserError: it was fitted to another model's codes.
    """
    if source != fingerprint(run):
        raise UserError(f"{folder}: fitted to another model's codes; train it with data.model of this run")


def require_codes(model: ImageModel) -> CodeImageModel:
    """The model itself, if it has discrete codes.

    Raises:
        UserError: it is a VAE.
    """
    if isinstance(model, ImageVAE):
        raise UserError("a VAE has no codes; give the run of a VQ-VAE or of VIMCO")
    return model


@torch.no_grad()
def encode_images(model: ImageModel, images: ImageSet, *, label: str = "encode") -> np.ndarray:
    """Codes of all images, (N, grid, grid, G), of the smallest unsigned integer type that holds them.

    Args:
        model: in evaluation mode.
        images: the N images.
        label: of the progress display.

    Raises:
        UserError: the model has no codes.
    """
    model = require_codes(model)
    device, count = next(model.parameters()).device, len(images.pixels)
    codes = np.empty((count, *model.grid.shape), np.min_scalar_type(model.grid.num_codes - 1))
    starts = range(0, count, BATCH)
    for start in progress(starts, total=len(starts), label=label, unit="batches"):
        part = slice(start, start + BATCH)
        codes[part] = model.encode(images.batch(part).to(device)).cpu().numpy()
    return codes


def cached_codes(
    folder: str | Path, model: ImageModel, images: ImageSet, root: str | Path, split: str
) -> np.ndarray:
    """The codes of a split, (N, grid, grid, G), from the cache if they were computed before.

    Args:
        folder: the model's or its run's directory. The cache is `codes/` in it; its file names depend on the
            weights and on the images in `root`. The codes of hub:OWNER/NAME are not cached.
        model: the model in `folder`.
        images: the images of the split.
        root: the prepared folder of the images.
        split: name of the split.

    Raises:
        UserError: the model has no codes, a cached file is damaged, or the disk is full or not writable.
    """
    if is_hub_name(folder):
        return encode_images(model, images, label=f"encode {split}")
    key = f"{Path(root).resolve()} {split} {len(images.pixels)} {_state(Path(root) / f'{split}.npy')}"
    path = Path(folder) / "codes" / f"{split}-{fingerprint(folder)}-{_digest(key.encode())}.npy"
    if path.exists():
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{path}: cannot be read ({error}); remove it") from None
    codes = encode_images(model, images, label=f"encode {split}")
    with atomic_file(path) as temporary:
        np.save(temporary, codes, allow_pickle=False)
    return codes


def _state(path: Path) -> str:
    """Size and date of a file, so that images that were prepared again get codes of their own."""
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]
