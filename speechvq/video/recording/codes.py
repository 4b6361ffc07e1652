"""Codes of a recording, computed by a trained image model and cached beside it.

MODEL/codes/NAME/NNNNNN.npz    codes    (L, H, W, G), the smallest unsigned integer type that holds them
                               actions  (L - 1,), uint8, the action between two frames
                               source   (2,), int64, size and modification time (ns) of the episode's file
"""

import hashlib
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.images.codes import fingerprint, require_codes
from speechvq.images.model_directory import ImageModel
from speechvq.io.atomic import atomic_file
from speechvq.io.hub import is_hub_name
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.runtime.progress import progress
from speechvq.video.recording.dataset import episodes
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import Split, read_recording
from speechvq.video.world.interface import ACTIONS

BATCH = 50  # frames encoded at once; bounds memory
_DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error, NotImplementedError)


class CodedEpisodes(NamedTuple):
    """The codes of episodes of equal length."""

    codes: np.ndarray  # (E, L, H, W, G), unsigned
    actions: np.ndarray  # (E, L - 1), uint8; [:, t] leads from frame t to t + 1

    def count(self, length: int) -> int:
        """The number of different windows of `length` frames."""
        return len(self.codes) * max(self.codes.shape[1] - length + 1, 0)

    def windows(self, indices: np.ndarray | Sequence[int], length: int) -> tuple[Tensor, Tensor]:
        """Windows by index below `count`: codes (B, length, H, W, G) and actions (B, length - 1), int64."""
        episodes, starts = np.divmod(np.asarray(indices), self.codes.shape[1] - length + 1)
        positions = starts[:, None] + np.arange(length)
        codes = self.codes[episodes[:, None], positions].astype(np.int64)
        actions = self.actions[episodes[:, None], positions[:, :-1]].astype(np.int64)
        return torch.from_numpy(codes), torch.from_numpy(actions)


def cached_episodes(folder: str | Path, model: ImageModel, root: str | Path, split: Split) -> CodedEpisodes:
    """The codes of a split's episodes, from the cache if they were computed before.

    Args:
        folder: the model's or its run's directory. The cache is `codes/` in it; its folder names depend on
            the weights and on the recording.
        model: the model in `folder`.
        root: of the recording.
        split: of the recording.

    Raises:
        UserError: the model has no codes or expects another image size, the recording or a cached file is
            damaged, or the disk is full.
    """
    if is_hub_name(folder):
        raise UserError(f"{folder}: codes are cached beside the model; download it, and give its folder")
    recording, root = read_recording(Path(root)), Path(root)
    size, grid = model.config.autoencoder.size, require_codes(model).grid
    if size != recording.pixels:
        raise UserError(
            f"{root}: frames of {recording.pixels} pixels, but the model expects {size}; train one "
            f"with model.autoencoder.size={recording.pixels}"
        )
    key = f"{root.resolve()} {recording.world} {recording.seed} {recording.frames}"
    name = hashlib.sha256(key.encode()).hexdigest()[:16]
    cache = Path(folder) / "codes" / f"{recording.world}-{fingerprint(folder)}-{name}"
    paths = episodes(root, split)
    each = []
    for path in progress(paths, total=len(paths), label=f"encode {split}", unit="episodes"):
        if not _is_current(cache / path.name, path):
            _encode(model, path, recording.frames, cache / path.name)
        each.append(_read(cache / path.name, recording.frames, grid))
    codes, actions = zip(*each)
    return CodedEpisodes(np.stack(codes), np.stack(actions))


@torch.no_grad()
def encode_frames(model: ImageModel, frames: np.ndarray) -> Tensor:
    """Codes of frames: (L, H, W, 3) uint8, as in an episode, to (L, grid, grid, G), int64."""
    model = require_codes(model)
    device = next(model.parameters()).device
    pixels = torch.from_numpy(np.ascontiguousarray(frames.transpose(0, 3, 1, 2)))
    return torch.cat([model.encode(part.to(device)) for part in pixels.split(BATCH)])


@torch.no_grad()
def decode_frames(model: ImageModel, codes: Tensor) -> np.ndarray:
    """Frames of codes: (L, grid, grid, G) int64 to (L, H, W, 3), uint8, as in an episode."""
    model = require_codes(model)
    pixels = torch.cat([model.decode(part) for part in codes.split(BATCH)])
    return pixels.permute(0, 2, 3, 1).cpu().numpy()


def _source(episode: Path) -> np.ndarray:
    """Size and modification time of an episode's file, which differ after it was replaced."""
    status = episode.stat()
    return np.array([status.st_size, status.st_mtime_ns])


def _is_current(cached: Path, episode: Path) -> bool:
    """Whether codes exist that are not of an earlier file; damage is reported when they are read."""
    if not cached.exists():
        return False
    try:
        with open(cached, "rb") as file, np.load(file, allow_pickle=False) as archive:
            return np.array_equal(archive["source"], _source(episode))
    except _DAMAGE:
        return True


def _encode(model: ImageModel, path: Path, frames: int, out: Path) -> None:
    episode = read_window(path, 0, frames)
    kind = np.min_scalar_type(require_codes(model).grid.num_codes - 1)
    codes = encode_frames(model, episode.frames).cpu().numpy().astype(kind)
    with atomic_file(out) as temporary:
        actions = episode.actions.astype(np.uint8)
        np.savez_compressed(temporary, codes=codes, actions=actions, source=_source(path))


def _read(path: Path, frames: int, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as archive:
            codes, actions = archive["codes"], archive["actions"]
    except _DAMAGE as error:
        raise UserError(f"{path}: damaged ({error}); remove it, and it is computed again") from None
    shapes = ((frames, grid.height, grid.width, grid.codes_per_position), (frames - 1,))
    whole = (codes.shape, actions.shape) == shapes and codes.dtype.kind == actions.dtype.kind == "u"
    if not whole or codes.max() >= grid.num_codes or actions.max(initial=0) >= len(ACTIONS):
        raise UserError(
            f"{path}: not the codes of this recording and model; remove it, and it is computed again"
        )
    return codes, actions
