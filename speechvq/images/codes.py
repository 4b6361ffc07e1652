"""The codes of prepared pictures by a trained model: computed once, and kept beside the model."""

import hashlib
from pathlib import Path

import numpy as np
import torch

from speechvq.errors import UserError
from speechvq.images.dataset import ImageSet
from speechvq.images.model_directory import ImageModel
from speechvq.images.vae import ImageVAE
from speechvq.images.vqvae import ImageVQ
from speechvq.io.atomic import atomic_file
from speechvq.io.model_directory import WEIGHTS, find_model_directory
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.runtime.progress import progress

AT_ONCE = 64  # pictures encoded at once; bounds memory


def fingerprint(folder: str | Path) -> str:
    """What tells a model's codes from any other's: a digest of its weights.

    Raises:
        UserError: no model there.
    """
    return _digest((find_model_directory(folder) / WEIGHTS).read_bytes())


def check_source(folder: Path, source: str, run: str | Path) -> None:
    """Refuse what was fitted to the codes of another model than a run's.

    Raises:
        UserError: names the folder of what was fitted.
    """
    if source != fingerprint(run):
        raise UserError(f"{folder}: fitted to another model's codes; train it with data.model of this run")


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


def grid_of(model: ImageModel) -> Grid:
    """The shape of a picture's codes.

    Raises:
        UserError: a model without codes.
    """
    if isinstance(model, ImageVAE):
        raise UserError("a VAE's latents are no codes; give the run of a VQ-VAE or of VIMCO")
    config = model.config
    count = config.quantizer.num_codes if isinstance(model, ImageVQ) else config.num_codes
    return Grid(config.autoencoder.grid, config.autoencoder.grid, config.codes_per_position, count)


@torch.no_grad()
def encode_images(model: ImageModel, images: ImageSet, *, label: str = "encode") -> np.ndarray:
    """Codes of all pictures: (N, grid, grid, G), the least unsigned integers that hold them."""
    grid, device = grid_of(model), next(model.parameters()).device
    assert not isinstance(model, ImageVAE)
    count = len(images.pixels)
    codes = np.empty(
        (count, grid.height, grid.width, grid.codes_per_position), np.min_scalar_type(grid.num_codes - 1)
    )
    starts = range(0, count, AT_ONCE)
    for start in progress(starts, total=len(starts), label=label, unit="batches"):
        some = slice(start, start + AT_ONCE)
        codes[some] = model.encode(images.batch(some).to(device)).cpu().numpy()
    return codes


def cached_codes(
    folder: str | Path, model: ImageModel, images: ImageSet, root: str | Path, split: str
) -> np.ndarray:
    """The codes of a split, read where an earlier call has kept them: (N, grid, grid, G).

    Args:
        folder: the model's, or its run's; they are kept in its `codes/`, by the weights and the pictures'
        folder.
        model: what is in it.
        images: the pictures.
        root: where they lie.
        split: which they are.

    Raises:
        UserError: the disk is full or not writable.
    """
    place = f"{Path(root).resolve()} {split} {len(images.pixels)}"
    path = Path(folder) / "codes" / f"{split}-{fingerprint(folder)}-{_digest(place.encode())}.npy"
    if path.exists():
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{path}: cannot be read ({error}); remove it") from None
    codes = encode_images(model, images, label=f"encode {split}")
    with atomic_file(path) as temporary:
        np.save(temporary, codes, allow_pickle=False)
    return codes
