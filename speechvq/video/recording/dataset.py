"""Windows of recorded frames and actions for training."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from speechvq.data.sampler import ShuffledCrops, load_batches
from speechvq.errors import UserError
from speechvq.video.recording.episode import Episode, read_window
from speechvq.video.recording.recording import Split, episode_path, read_recording, split_of


class Windows(NamedTuple):
    """A batch of windows."""

    frames: Tensor  # (B, L, 3, H, W), uint8
    actions: Tensor  # (B, L - 1), int64, indices into ACTIONS; [:, t] leads from frame t to t + 1


class WindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """An endless sequence of random windows from the episodes of a split; see `data.sampler.ShuffledCrops`.

    Only the frames of a window are decompressed.
    """

    def __init__(self, folder: Path, split: Split, length: int, seed: int) -> None:
        """
        Args:
            folder: of the recording.
            split: of the recording.
            length: frames per window; 1 for single images.
            seed: of order and offsets.

        Raises:
            UserError: there is no recording, an episode is missing, the split has none, or they are too
                short.
        """
        self.paths, self.episode_length = episodes(folder, split), read_recording(folder).frames
        _check_length(folder, length, self.episode_length)
        self.length = length
        self.positions = ShuffledCrops(np.full(len(self.paths), self.episode_length), length, seed)

    def __len__(self) -> int:
        """Windows per epoch."""
        return len(self.positions)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Frames (L, 3, H, W), uint8, and actions (L - 1,) of a window; `index` may exceed the length."""
        episode, start = self.positions[index]
        return _tensors(read_window(self.paths[episode], start, self.length))


def episodes(folder: Path, split: Split) -> list[Path]:
    """Paths of the episodes of a split, in order.

    Raises:
        UserError: there is no recording, an episode is missing, or the split has none.
    """
    numbers = range(read_recording(folder).episodes)
    paths = {number: episode_path(folder, number) for number in numbers}
    for path in paths.values():
        if not path.is_file():
            raise UserError(f"{path}: this episode is missing; run the recording command again")
    chosen = [path for number, path in paths.items() if split_of(number) == split]
    if not chosen:
        raise UserError(f"{folder}: none of {len(paths)} episodes is in split '{split}'; record more")
    return chosen


def middle_windows(folder: Path, split: Split, length: int, count: int) -> Windows:
    """Windows from the middle of up to `count` episodes, evenly spaced over the split.

    Raises:
        UserError: as of `WindowDataset`.
    """
    paths, frames = episodes(folder, split), read_recording(folder).frames
    _check_length(folder, length, frames)
    chosen = np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)
    return _stacked([read_window(paths[i], (frames - length) // 2, length) for i in chosen])


def window_loader(
    dataset: WindowDataset, batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1, workers: int = 0
) -> Iterator[Windows]:
    """Endless batches from a training step on; arguments and errors as of `data.sampler.load_batches`."""
    for windows in load_batches(dataset, batch, step=step, rank=rank, world_size=world_size, workers=workers):
        yield Windows(*windows)


def _stacked(windows: Sequence[Episode]) -> Windows:
    frames, actions = zip(*map(_tensors, windows))
    return Windows(torch.stack(frames), torch.stack(actions))


def _tensors(window: Episode) -> tuple[Tensor, Tensor]:
    frames = np.ascontiguousarray(window.frames.transpose(0, 3, 1, 2))
    return torch.from_numpy(frames), torch.from_numpy(window.actions)


def _check_length(folder: Path, length: int, frames: int) -> None:
    if not 1 <= length <= frames:
        raise UserError(
            f"{folder}: its episodes have {frames} frames, too few for windows of {length}; record more"
        )
