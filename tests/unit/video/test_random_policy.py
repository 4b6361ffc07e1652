"""The random policy: reproducible, with repeated actions, and turning at walls."""

import itertools

import numpy as np
import pytest

from speechvq.video.world.interface import ACTIONS
from speechvq.video.world.random_policy import ACTION_DURATIONS, RandomPolicy

LEFT, RIGHT = ACTIONS.index("left"), ACTIONS.index("right")


def actions(seed: int, episode: int, steps: int = 4000) -> list[int]:
    player = RandomPolicy(seed, episode)
    return [player.act(False) for _ in range(steps)]


def test_a_policy_is_reproducible_per_episode() -> None:
    assert actions(0, 3) == actions(0, 3)
    assert len({tuple(actions(seed, episode, 50)) for seed in range(3) for episode in range(20)}) == 60


def test_durations_are_within_their_bounds() -> None:
    """The same action is never chosen twice in a row, so a run is one choice."""
    runs = [(ACTIONS[action], len(list(run))) for action, run in itertools.groupby(actions(1, 0))][:-1]
    for action, (_, least, most) in ACTION_DURATIONS.items():
        lengths = {length for name, length in runs if name == action}
        assert lengths == set(range(least, most + 1)), action


def test_every_action_is_frequent() -> None:
    shares = np.bincount(actions(2, 5), minlength=len(ACTIONS)) / 4000
    assert shares.min() > 0.05 and shares[0] == shares.max() < 0.5
    assert sum(chance for chance, _, _ in ACTION_DURATIONS.values()) == pytest.approx(1)


def test_a_blocked_policy_turns() -> None:
    player, turns = RandomPolicy(0, 0), []
    for _ in range(200):
        player.act(False)
        turns.append(player.act(True))
    assert set(turns) == {LEFT, RIGHT}
    assert 60 < turns.count(LEFT) < 140
