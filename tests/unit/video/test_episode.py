"""Files of episodes: atomic, reproducible, read in windows, and refused by name if damaged."""

from pathlib import Path

import numpy as np
import pytest

from speechvq.errors import UserError
from speechvq.video.recording.episode import Episode, is_whole, read_window, write_episode

LENGTH = 5


def episode(seed: int = 0) -> Episode:
    rng = np.random.default_rng(seed)
    frames = rng.integers(256, size=(LENGTH, 84, 84, 3), dtype=np.uint8)
    poses = rng.standard_normal((LENGTH, 3)).astype(np.float32)
    return Episode(frames, rng.integers(6, size=LENGTH - 1), poses)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_episode(tmp_path / "deep/000003.npz", episode())
    return tmp_path / "deep/000003.npz"


def test_every_window_is_read_unchanged(path: Path) -> None:
    whole = episode()
    for start in range(LENGTH):
        for length in range(1, LENGTH - start + 1):
            window = read_window(path, start, length)
            assert np.array_equal(window.frames, whole.frames[start : start + length])
            assert np.array_equal(window.actions, whole.actions[start : start + length - 1])
            assert np.array_equal(window.poses, whole.poses[start : start + length])
            assert (window.frames.dtype, window.actions.dtype) == (np.uint8, np.int64)


def test_the_same_episode_gives_the_same_bytes(path: Path) -> None:
    write_episode(path.with_name("again.npz"), episode())
    assert path.read_bytes() == path.with_name("again.npz").read_bytes()
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_numpy_alone_can_read_it(path: Path) -> None:
    with np.load(path, allow_pickle=False) as archive:
        assert np.array_equal(archive["frame_0002"], episode().frames[2])
        assert archive["actions"].dtype == np.uint8 and archive["poses"].shape == (LENGTH, 3)


def test_incomplete_episodes_are_detected(path: Path) -> None:
    assert is_whole(path, LENGTH)
    assert not is_whole(path, LENGTH + 1) and not is_whole(path, LENGTH - 1)
    assert not is_whole(path.with_name("absent.npz"), LENGTH) and not is_whole(path.parent, LENGTH)
    content = path.read_bytes()
    for cut in (0, 1, 100, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        assert not is_whole(path, LENGTH)


def test_a_missing_or_truncated_episode_is_named(path: Path) -> None:
    content = path.read_bytes()
    for cut in (0, 3, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:cut])
        with pytest.raises(
            UserError, match="000003.npz: damaged .*; remove it, then run the recording command"
        ) as caught:
            read_window(path, 0, LENGTH)
        assert "\n" not in str(caught.value)
    path.unlink()
    with pytest.raises(UserError, match="000003.npz: this episode is missing; run the recording command"):
        read_window(path, 0, 1)


def test_flipped_bytes_are_detected(path: Path) -> None:
    """Found by the archive's checksums, not by its index."""
    content = path.read_bytes()
    for place in range(200, len(content) // LENGTH, 997):
        path.write_bytes(content[:place] + bytes([content[place] ^ 0xFF]) + content[place + 1 :])
        with pytest.raises(UserError, match="000003.npz"):
            read_window(path, 0, LENGTH)


def test_other_files_are_refused_by_name(path: Path) -> None:
    good = {f"frame_{t:04d}": np.zeros((84, 84, 3), np.uint8) for t in range(2)}
    good |= {"actions": np.zeros(1, np.uint8), "poses": np.zeros((2, 3), np.float32)}
    wrong = [
        {"frame_0001": np.zeros((64, 64, 3), np.uint8)},
        {"frame_0001": np.zeros((84, 84, 3))},
        {"actions": np.array([6], np.uint8)},
        {"actions": np.zeros(0, np.uint8)},
        {"actions": np.full(1, -1)},
        {"actions": np.zeros(1)},
        {"actions": np.array("forward")},
        {"poses": np.zeros((1, 3), np.float32)},
        {"poses": np.array([None, 1], object)},
    ]
    np.savez(path, **good)
    read_window(path, 0, 2)
    for change in wrong:
        np.savez(path, **(good | change))
        with pytest.raises(UserError, match="000003.npz: .*; remove it, then"):
            read_window(path, 0, 2)
    for content in (b"\x93NUMPY", b"PK\x03\x04", b"text", b"\x80\x04pickle"):
        path.write_bytes(content)
        with pytest.raises(UserError, match="000003.npz: damaged"):
            read_window(path, 0, 2)
    with open(path, "wb") as file:
        np.save(file, np.zeros(3))
    with pytest.raises(UserError, match="000003.npz: damaged"):
        read_window(path, 0, 2)
