"""Windows of a recording for training, each a pure function of its number, so that resuming needs no more."""

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
    """A batch of the video data."""

    frames: Tensor  # (B, L, 3, H, W), uint8
    actions: Tensor  # (B, L - 1), int64, places in world.ACTIONS: [t] leads from frame t to frame t + 1


class WindowDataset(Dataset[tuple[Tensor, Tensor]]):
    """Window number i of an endless shuffled walk through the episodes of a split.

    An epoch cuts every episode into as many windows as fit, shuffles them with the epoch's own seed and moves
    each by a random offset. Only the wanted frames are unpacked.
    """

    def __init__(self, folder: Path, split: Split, length: int, seed: int) -> None:
        """
        Args:
            folder: of the recording.
            split: which of its episodes.
            length: frames a window; 1 for single pictures.
            seed: of order and offsets.

        Raises:
            UserError: no recording there, an episode is missing, none is in the split, or they are shorter.
        """
        self.paths, self.episode_length = episodes(folder, split), read_recording(folder).frames
        _check_length(folder, length, self.episode_length)
        self.length = length
        self.positions = ShuffledCrops(np.full(len(self.paths), self.episode_length), length, seed)

    def __len__(self) -> int:
        """Windows an epoch."""
        return len(self.positions)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """Window `index` of the walk, which may exceed the length: frames (L, 3, H, W), actions (L - 1,)."""
        which, start = self.positions[index]
        return _tensors(read_window(self.paths[which], start, self.length))


def episodes(folder: Path, split: Split) -> list[Path]:
    """The episodes of a split, in the order of their numbers.

    Raises:
        UserError: no recording there, an episode is missing, or none is in the split.
    """
    numbers = range(read_recording(folder).episodes)
    paths = {number: episode_path(folder, number) for number in numbers}
    for path in paths.values():
        if not path.is_file():
            raise UserError(f"{path}: this episode is missing; the command that recorded the others goes on")
    chosen = [path for number, path in paths.items() if split_of(number) == split]
    if not chosen:
        raise UserError(f"{folder}: none of {len(paths)} episodes is in split '{split}'; record more")
    return chosen


def middle_windows(folder: Path, split: Split, length: int, count: int) -> Windows:
    """The middle of up to `count` episodes spread over the split: the same at every evaluation.

    Raises:
        UserError: as WindowDataset.
    """
    paths, frames = episodes(folder, split), read_recording(folder).frames
    _check_length(folder, length, frames)
    chosen = np.linspace(0, len(paths) - 1, min(count, len(paths))).astype(int)
    return _stacked([read_window(paths[i], (frames - length) // 2, length) for i in chosen])


def window_loader(
    dataset: WindowDataset, batch: int, *, step: int = 0, rank: int = 0, world_size: int = 1, workers: int = 0
) -> Iterator[Windows]:
    """Endless batches from a training step on; arguments and errors as `data.sampler.load_batches`."""
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
            f"{folder}: its episodes have {frames} frames, so no window of {length}; record longer ones"
        )
