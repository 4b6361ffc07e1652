"""Recordings are reproducible for any order and number of processes, resumable, and never mixed."""

import json
from pathlib import Path

import numpy as np
import pytest

from speechvq.errors import UserError
from speechvq.video.recording import recording as module
from speechvq.video.recording.episode import read_window
from speechvq.video.recording.recording import META, Recording, episode_path, read_recording, record, split_of
from speechvq.video.world.maze_world import MazeWorld

SMALL = Recording("maze", seed=3, episodes=5, frames=6)


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "episodes").iterdir())}


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recorded")
    assert record(folder, SMALL, jobs=1) == 5
    return folder


def test_the_files_of_a_recording(recorded: Path) -> None:
    assert sorted(path.name for path in recorded.iterdir()) == ["episodes", "meta.json"]
    assert list(contents(recorded)) == [f"{number:06d}.npz" for number in range(5)]
    meta = json.loads((recorded / META).read_text())
    assert (meta["world"], meta["seed"], meta["episodes"], meta["frames"]) == ("maze", 3, 5, 6)
    assert meta["actions"] == ["forward", "back", "left", "right", "strafe-left", "strafe-right"]
    assert read_recording(recorded) == SMALL


def test_actions_lead_from_each_frame_to_the_next(recorded: Path) -> None:
    """Replaying the recorded actions gives the recorded frames and poses."""
    for number in range(5):
        episode, world = read_window(episode_path(recorded, number), 0, 6), MazeWorld(3)
        assert np.array_equal(world.reset([number])[0], episode.frames[0])
        for action, frame, pose in zip(episode.actions, episode.frames[1:], episode.poses[1:]):
            assert np.array_equal(world.step(np.array([action]))[0], frame)
            assert np.array_equal(world.poses[0], pose)


def test_a_recording_can_be_continued_and_extended(recorded: Path, tmp_path: Path) -> None:
    """Episodes recorded separately, in another order or after an interruption are the same."""
    assert record(tmp_path, Recording("maze", 3, 2, 6), jobs=1) == 2
    episode_path(tmp_path, 0).write_bytes(contents(recorded)["000000.npz"][:1000])
    assert record(tmp_path, SMALL, jobs=1) == 4
    assert contents(tmp_path) == contents(recorded)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}
    assert record(tmp_path, SMALL, jobs=1) == 0
    assert before == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.npz")}


def test_the_number_of_processes_does_not_change_the_recording(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "EPISODES_PER_TASK", 2)
    assert record(tmp_path, SMALL, jobs=2) == 5
    assert contents(tmp_path) == contents(recorded)


@pytest.mark.parametrize(
    "other", [Recording("maze", 4, 5, 6), Recording("maze", 3, 5, 7), Recording("doom", 3, 5, 6)]
)
def test_two_recordings_never_mix(recorded: Path, other: Recording) -> None:
    before = contents(recorded)
    with pytest.raises(
        UserError, match="contains another recording, see meta.json; remove it or choose another"
    ):
        record(recorded, other, jobs=1)
    assert contents(recorded) == before and read_recording(recorded) == SMALL


def test_a_negative_seed_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--seed -1 is negative"):
        record(tmp_path / "out", Recording("maze", -1, 1, 2))
    assert not (tmp_path / "out").exists()


def test_episodes_of_one_frame(tmp_path: Path) -> None:
    record(tmp_path, Recording("maze", 0, 2, 1), jobs=1)
    episode = read_window(episode_path(tmp_path, 1), 0, 1)
    assert episode.frames.shape == (1, 84, 84, 3) and episode.actions.shape == (0,)


def test_a_full_disk_leaves_no_partial_episode(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path, *_: object, **__: object) -> None:
        Path(path).write_bytes(b"PK")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("speechvq.video.recording.episode.np.savez_compressed", refuse)
    with pytest.raises(UserError, match="000000.npz: cannot be written .No space left on device"):
        record(tmp_path, SMALL, jobs=1)
    assert list((tmp_path / "episodes").iterdir()) == []


def test_a_missing_recording_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no recording here; record one with `speechvq.prepare maze`"):
        read_recording(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not written by"),
        ("{", "not written by"),
        ("[]", "not written by"),
        ("{}", "not written by"),
        ('{"actions": 3}', "not written by"),
        ('{"world": "maze", "actions": []}', "not written by"),
        ("\udcff", "not written by"),
        ({"colour": "red"}, "not written by"),
        ({"pixels": 64}, "another version"),
        ({"version": 2}, "another version"),
        ({"actions": ["forward"]}, "another version"),
        ({"seed": "0"}, "another version"),
        ({"episodes": -1}, "another version"),
        ({"frames": 1.5}, "another version"),
        ({"frames": True}, "another version"),
    ],
)
def test_a_damaged_meta_json_is_one_line(
    recorded: Path, text: str | dict[str, object], words: str, tmp_path: Path
) -> None:
    if isinstance(text, dict):
        text = json.dumps(json.loads((recorded / META).read_text()) | text)
    (tmp_path / META).write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(UserError, match=f"meta.json: .*{words}.*; record again"):
        read_recording(tmp_path)
    with pytest.raises(UserError, match="meta.json"):
        record(tmp_path, SMALL)


def test_splits_do_not_change_when_episodes_are_added() -> None:
    splits = [split_of(number) for number in range(400)]
    assert splits[:4] == ["test", "dev", "train", "train"] and splits[20:23] == ["test", "dev", "train"]
    assert (splits.count("test"), splits.count("dev"), splits.count("train")) == (20, 20, 360)
