"""Doom as a world like the built-in one; skipped where ViZDoom is not installed."""

import math
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from speechvq.errors import UserError
from speechvq.video.recording.recording import Recording, record
from speechvq.video.world.doom import TURN, DoomWorld
from speechvq.video.world.interface import ACTIONS


def test_without_vizdoom_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vizdoom", None)
    with pytest.raises(UserError, match=r"Doom needs ViZDoom: pip install 'speechvq\[doom\]'"):
        record(tmp_path / "out", Recording("doom", 0, 1, 2))
    assert not (tmp_path / "out").exists()


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DoomWorld:
    pytest.importorskip("vizdoom", reason="the extra `doom` is not installed")
    monkeypatch.chdir(tmp_path)
    return DoomWorld(0)


def test_an_episode_is_reproducible_and_leaves_no_files(world: DoomWorld, tmp_path: Path) -> None:
    def played(numbers: list[int]) -> list[np.ndarray]:
        frames = [world.reset(numbers)]
        for action in [0, 0, 3, 4, 1, 5, 2]:
            frames.append(world.step(np.full(len(numbers), action)))
        return [np.stack(frames), world.poses]

    first, poses = played([5])
    assert first.shape == (8, 1, 84, 84, 3) and first.dtype == np.uint8 and first.std() > 10
    assert not np.array_equal(first, played([6])[0])
    both, both_poses = played([6, 5])
    assert np.array_equal(both[:, 1:], first) and np.array_equal(both_poses[1:], poses)
    world.close()
    assert list(tmp_path.iterdir()) == []


def test_actions_have_their_effects(world: DoomWorld) -> None:
    """Each action starts from the same place; only directions are compared, because Doom has inertia."""
    ways = {"forward": 0, "back": 180, "strafe-right": 90, "strafe-left": -90}
    free = 0
    for number in range(3):
        for action, direction in ways.items():
            world.reset([number])
            before = world.poses[0].astype(float)
            world.step(np.array([ACTIONS.index(action)]))
            x, y, turned = world.poses[0] - before
            assert turned == pytest.approx(0, abs=1e-3)
            if not world.blocked[0]:
                off = math.degrees(math.atan2(y, x)) - before[2] - direction
                free += abs((off + 180) % 360 - 180) < 1
        for action, turn in {"left": -TURN, "right": TURN}.items():
            world.reset([number])
            before = world.poses[0].astype(float)
            world.step(np.array([ACTIONS.index(action)]))
            assert (world.poses[0, 2] - before[2] + 180) % 360 - 180 == pytest.approx(turn, abs=0.1)
            assert not world.blocked[0]
    assert free >= 9, "of 12; a wall turns the others aside"
    world.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux supports it")
def test_the_engine_ends_when_its_parent_is_killed(world: DoomWorld) -> None:
    world.close()
    code = "import time; from speechvq.video.world.doom import DoomWorld; world = DoomWorld(0); "
    code += "world.reset([0]); "
    code += "print(world._folder.name, flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as player:
        assert player.stdout is not None
        folder = Path(player.stdout.readline().strip())
        (engine,) = working_in(folder)
        words = Path(f"/proc/{engine}/cmdline").read_text().split("\0")
        player.send_signal(signal.SIGKILL)
    until = time.monotonic() + 20
    while working_in(folder) and time.monotonic() < until:
        time.sleep(0.01)
    assert not working_in(folder)
    shutil.rmtree(folder)  # this and its shared memory stay behind
    for left in Path("/dev/shm").glob(f"ViZDoom*{words[words.index('+viz_instance_id') + 1]}"):
        left.unlink()


def working_in(folder: Path) -> list[int]:
    """The processes with this working directory: the engines of one world."""
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        with suppress(OSError):  # ended meanwhile, or of somebody else
            if place.resolve(strict=True) == folder.resolve():
                found.append(int(place.parent.name))
    return found


def test_recordings_are_reproduced(world: DoomWorld, tmp_path: Path) -> None:
    world.close()
    for name in ("one", "two"):
        assert record(Path(name), Recording("doom", 1, 2, 8), jobs=1) == 2
    one, two = (sorted((tmp_path / name).rglob("*.npz")) for name in ("one", "two"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two] and len(one) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "two"]
