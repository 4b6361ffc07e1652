"""Windows: pure functions of their index, evenly distributed, with the actions of their frames."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch

from speechvq.errors import UserError
from speechvq.video.recording.dataset import WindowDataset, episodes, middle_windows, window_loader
from speechvq.video.recording.episode import Episode, write_episode
from speechvq.video.recording.recording import Recording, episode_path, record

FRAMES, COUNT = 12, 23


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording whose pixels encode episode and frame, and whose actions encode the frame before."""
    folder = tmp_path_factory.mktemp("recording")
    record(folder, Recording("maze", 0, 2, FRAMES), jobs=1)
    for number in range(COUNT):
        frames = np.zeros((FRAMES, 84, 84, 3), np.uint8)
        frames[..., 0], frames[..., 1] = number, np.arange(FRAMES)[:, None, None]
        frames[:, 3, 5, 2] = 9
        actions = np.arange(FRAMES - 1) % 6
        write_episode(episode_path(folder, number), Episode(frames, actions, np.zeros((FRAMES, 3))))
    assert record(folder, Recording("maze", 0, COUNT, FRAMES), jobs=1) == 0
    return folder


def dataset(folder: Path, length: int = 4, seed: int = 0) -> WindowDataset:
    return WindowDataset(folder, "train", length, seed)


def place(window: tuple[torch.Tensor, torch.Tensor]) -> tuple[int, int]:
    """Episode and first frame of a window."""
    return int(window[0][0, 0, 0, 0]), int(window[0][0, 1, 0, 0])


def test_a_window_is_a_pure_function_of_its_index(folder: Path) -> None:
    one, other = dataset(folder), dataset(folder)
    numbers = [0, 5, len(one), 3 * len(one) + 2, 5, 1]
    expected = {number: one[number] for number in sorted(numbers)}
    for number in numbers:
        frames, actions = other[number]
        assert torch.equal(frames, expected[number][0]) and torch.equal(actions, expected[number][1])
    assert [place(one[i]) for i in range(9)] != [place(dataset(folder, seed=1)[i]) for i in range(9)]


@pytest.mark.parametrize("length", [1, 4, 5, FRAMES])
def test_actions_belong_to_their_frames(folder: Path, length: int) -> None:
    data = dataset(folder, length)
    for number in range(0, 2 * len(data), 7):
        frames, actions = data[number]
        assert frames.shape == (length, 3, 84, 84) and frames.dtype == torch.uint8
        assert actions.shape == (length - 1,) and actions.dtype == torch.int64
        episode, start = place((frames, actions))
        assert (frames[:, 0] == episode).all() and frames[:, 1, 0, 0].tolist() == [
            *range(start, start + length)
        ]
        assert actions.tolist() == [t % 6 for t in range(start, start + length - 1)]
        assert (frames[:, 2, 3, 5] == 9).all() and frames[:, 2].sum() == 9 * length, "rows are rows"


def test_an_epoch_uses_every_episode_equally_in_a_new_order(folder: Path) -> None:
    data = dataset(folder, 5)
    assert len(data) == 19 * 2, "19 of 23 episodes are in train, and 2 windows of 5 fit into 12 frames"
    epochs = []
    for epoch in range(3):
        places = [place(data[epoch * len(data) + i]) for i in range(len(data))]
        assert sorted(number for number, _ in places) == sorted(2 * [n for n in range(23) if n % 20 > 1])
        epochs.append(places)
    assert epochs[0] != epochs[1] != epochs[2]
    assert {start for places in epochs for _, start in places} == set(range(FRAMES - 5 + 1))


def test_splits_share_no_episode(folder: Path) -> None:
    numbers = {
        split: {int(path.stem) for path in episodes(folder, split)} for split in ("train", "dev", "test")
    }
    assert numbers["test"] == {0, 20} and numbers["dev"] == {1, 21}
    assert numbers["train"] == set(range(COUNT)) - numbers["test"] - numbers["dev"]


def test_middle_windows_are_always_the_same(folder: Path) -> None:
    windows = middle_windows(folder, "dev", 4, 9)
    assert windows.frames.shape == (2, 4, 3, 84, 84) and windows.actions.shape == (2, 3)
    assert [place((frames, windows.actions)) for frames in windows.frames] == [(1, 4), (21, 4)]
    assert windows.actions.tolist() == [[4, 5, 0]] * 2
    assert len(middle_windows(folder, "train", FRAMES, 7).frames) == 7


@pytest.mark.parametrize("step", [0, 3, 11])
def test_two_processes_split_the_batch(folder: Path, step: int) -> None:
    alone = window_loader(dataset(folder), 4, step=step)
    first, second = (window_loader(dataset(folder), 4, step=step, rank=r, world_size=2) for r in range(2))
    for whole, left, right in itertools.islice(zip(alone, first, second), 3):
        assert torch.equal(whole.frames, torch.cat([left.frames, right.frames]))
        assert torch.equal(whole.actions, torch.cat([left.actions, right.actions]))


def test_batches_from_a_step_on_equal_those_of_an_unbroken_run(folder: Path) -> None:
    unbroken = list(itertools.islice(window_loader(dataset(folder), 3), 30))
    for step in (1, 17, 29):
        resumed = next(window_loader(dataset(folder), 3, step=step))
        assert torch.equal(resumed.frames, unbroken[step].frames)


def test_errors_are_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recording here"):
        dataset(tmp_path)
    for length in (0, FRAMES + 1):
        with pytest.raises(
            UserError, match=f"episodes have {FRAMES} frames, too few for windows of {length}"
        ):
            dataset(folder, length)
        with pytest.raises(UserError, match="too few for windows of"):
            middle_windows(folder, "dev", length, 1)
    with pytest.raises(UserError, match="data.batch = 3 cannot be split over 2 processes"):
        next(window_loader(dataset(folder), 3, world_size=2))
    record(tmp_path, Recording("maze", 0, 2, 2), jobs=1)
    with pytest.raises(UserError, match="none of 2 episodes is in split 'train'; record more"):
        dataset(tmp_path, 1)
    episode_path(tmp_path, 1).unlink()
    with pytest.raises(UserError, match="000001.npz: this episode is missing; run the recording command"):
        dataset(tmp_path, 1)


def test_a_damaged_episode_is_named_when_read(folder: Path, tmp_path: Path) -> None:
    record(tmp_path, Recording("maze", 0, 3, 3), jobs=1)
    path = episode_path(tmp_path, 2)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(UserError, match="000002.npz: damaged .*; remove it, then run the recording command"):
        dataset(tmp_path, 2)[0]
