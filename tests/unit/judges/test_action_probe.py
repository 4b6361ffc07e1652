"""The action probe learns motion, and is at chance without motion."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from speechvq.judges.action_probe import action_recognized, shifted_differences, train_action_probe

SIZE = 24


def shifted(batch: int, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Random squares, and the same frame shifted to the left or right by 4 pixels."""
    coarse = torch.randint(256, (batch, 3, SIZE // 4, SIZE // 4), generator=generator, dtype=torch.uint8)
    before = coarse.repeat_interleave(4, 2).repeat_interleave(4, 3)
    action = torch.randint(2, (batch,), generator=generator)
    after = torch.stack([frame.roll(8 * int(a) - 4, -1) for frame, a in zip(before, action)])
    return before, after, action


def endless(seed: int) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(seed)
    while True:
        yield shifted(32, generator)


def test_shifted_differences_equal_loops() -> None:
    generator = torch.Generator().manual_seed(0)
    before, after = torch.randn(2, 2, 3, 4, 5, generator=generator)
    found = shifted_differences(before, after, 2)
    assert found.shape == (2, 5, 4, 5)
    for frame, d, y, x in (
        (f, d, y, x) for f in range(2) for d in range(5) for y in range(4) for x in range(5)
    ):
        aside = min(max(x + d - 2, 0), 4)
        expected = sum(abs(float(before[frame, c, y, x] - after[frame, c, y, aside])) for c in range(3)) / 3
        assert float(found[frame, d, y, x]) == pytest.approx(expected, rel=1e-5)


def test_motion_is_recognized_and_no_motion_is_chance() -> None:
    probe = train_action_probe(endless(0), 60, 2, SIZE)
    before, after, action = shifted(300, torch.Generator().manual_seed(1))
    assert action_recognized(probe, before, after, action).float().mean() > 0.9
    assert action_recognized(probe, before, before, action).float().mean() < 0.65


def test_training_depends_on_its_seed_and_keeps_the_global_random_state() -> None:
    state = torch.get_rng_state()
    one, same, other = (train_action_probe(endless(0), 3, 2, SIZE, seed=seed) for seed in (0, 0, 1))
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(one.classifier.weight, same.classifier.weight) and not torch.equal(
        one.classifier.weight, other.classifier.weight
    )
