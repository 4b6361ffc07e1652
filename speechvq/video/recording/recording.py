"""Recordings of a world: a folder of seeded episodes and a description.

    OUT/meta.json             world, seed, episodes, frames per episode, names of the actions
    OUT/episodes/NNNNNN.npz   see `episode.py`

Episode n depends on the world, the seed and n alone. Episodes can be added, and an interrupted recording can
be continued.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from speechvq.errors import UserError
from speechvq.io.atomic import write_bytes
from speechvq.io.reading import read_regular
from speechvq.runtime.progress import counter
from speechvq.runtime.worker_pool import map_in_order
from speechvq.video.recording.episode import Episode, is_whole, write_episode
from speechvq.video.world.interface import ACTIONS, PIXELS, World
from speechvq.video.world.random_policy import RandomPolicy

META = "meta.json"
VERSION = 1  # increased when the same seed gives other bytes
EPISODES_PER_TASK = 16  # recorded by a process at a time

WorldName = Literal["maze", "doom"]
Split = Literal["train", "dev", "test"]


@dataclass(frozen=True)
class Recording:
    """The description of a recording."""

    world: WorldName
    seed: int
    episodes: int
    frames: int  # per episode
    pixels: int = PIXELS
    actions: tuple[str, ...] = ACTIONS
    version: int = VERSION


def record(out: Path, recording: Recording, *, jobs: int | None = None) -> int:
    """Record the missing episodes.

    Args:
        out: created if missing.
        recording: the description; an existing recording in `out` may differ in the number of episodes alone.
        jobs: processes; None takes one per core.

    Returns:
        The number of episodes recorded now.

    Raises:
        UserError: `out` contains another recording, the seed is negative, ViZDoom is missing, or the disk is
            full or not writable.
    """
    _check(out, recording)
    numbers = range(recording.episodes)
    missing = [n for n in numbers if not is_whole(episode_path(out, n), recording.frames)]
    if missing:
        _open_world(recording).close()  # reports a missing dependency and compiles before processes start
    write_bytes(out / META, f"{json.dumps(asdict(recording), indent=2)}\n".encode())
    parts = [missing[i : i + EPISODES_PER_TASK] for i in range(0, len(missing), EPISODES_PER_TASK)]
    done = 0
    with counter(len(missing), label="record", unit="episode") as count:
        for made in map_in_order(
            partial(_record_part, out=out, recording=recording), parts, jobs, min_items_per_process=1
        ):
            done += made
            count(done)
    return done


def read_recording(folder: Path) -> Recording:
    """Read the description of a recording.

    Raises:
        UserError: there is no recording, or it is damaged or of another version.
    """
    path = folder / META
    try:
        found = json.loads(read_regular(path))
        recording = Recording(**{**found, "actions": tuple(found["actions"])})
    except FileNotFoundError:
        raise UserError(f"{folder}: no recording here; record one with `speechvq.prepare maze`") from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: not written by `speechvq.prepare` ({error}); record again") from None
    numbers = (recording.seed, recording.episodes, recording.frames)
    if (recording.pixels, recording.actions, recording.version) != (PIXELS, ACTIONS, VERSION) or not all(
        type(number) is int and number >= 0 for number in numbers
    ):
        raise UserError(f"{path}: made by another version of speechvq; record again into another folder")
    return recording


def episode_path(folder: Path, number: int) -> Path:
    """The path of an episode."""
    return folder / "episodes" / f"{number:06d}.npz"


def split_of(number: int) -> Split:
    """The split of an episode: of every twenty, the first is in test and the second in dev."""
    return "test" if number % 20 == 0 else "dev" if number % 20 == 1 else "train"


def _check(out: Path, recording: Recording) -> None:
    """Check that `out` does not contain another recording."""
    if recording.seed < 0:
        raise UserError(f"--seed {recording.seed} is negative; take 0 or more")
    if (out / META).exists() and replace(read_recording(out), episodes=recording.episodes) != recording:
        raise UserError(f"{out}: contains another recording, see {META}; remove it or choose another --out")


def _open_world(recording: Recording) -> World:
    if recording.world == "doom":
        from speechvq.video.world.doom import DoomWorld  # an optional dependency

        return DoomWorld(recording.seed)
    from speechvq.video.world.maze_world import MazeWorld  # imports numba

    return MazeWorld(recording.seed)


def _record_part(numbers: Sequence[int], *, out: Path, recording: Recording) -> int:
    """Record some episodes in batches of the world's size; returns their number."""
    world = _open_world(recording)
    try:
        for first in range(0, len(numbers), world.batch_size):
            group = numbers[first : first + world.batch_size]
            for number, episode in zip(group, _play(world, recording, group)):
                write_episode(episode_path(out, number), episode)
    finally:
        world.close()
    return len(numbers)


def _play(world: World, recording: Recording, numbers: Sequence[int]) -> Iterator[Episode]:
    """Play a batch of episodes."""
    policies = [RandomPolicy(recording.seed, number) for number in numbers]
    frames, poses, actions = [world.reset(numbers)], [world.poses], []
    for _ in range(recording.frames - 1):
        actions.append([policy.act(blocked) for policy, blocked in zip(policies, world.blocked)])
        frames.append(world.step(np.array(actions[-1])))
        poses.append(world.poses)
    done = np.array(actions, np.int64).reshape(-1, len(numbers))
    for i in range(len(numbers)):
        yield Episode(np.stack([f[i] for f in frames]), done[:, i], np.stack([p[i] for p in poses]))
