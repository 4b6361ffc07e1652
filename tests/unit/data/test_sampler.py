"""The resumable sampler: shuffled epochs, random crops, resumption at any step, several processes."""

import itertools

import numpy as np
import pytest

from speechvq.data.sampler import ShuffledCrops, ShuffledEpochs, shuffled_batches, step_positions
from speechvq.errors import UserError


def test_an_epoch_has_every_item_once_and_batches_resume() -> None:
    steps = list(itertools.islice(shuffled_batches(10, 4, 7), 10))
    numbers = np.concatenate(steps)
    assert all(sorted(numbers[i : i + 10].tolist()) == list(range(10)) for i in range(0, 40, 10))
    assert numbers[:10].tolist() != numbers[10:20].tolist()
    resumed = list(itertools.islice(shuffled_batches(10, 4, 7, step=3), 7))
    assert all(np.array_equal(one, other) for one, other in zip(steps[3:], resumed, strict=True))


def test_two_processes_split_a_batch() -> None:
    whole = list(itertools.islice(shuffled_batches(10, 4, 7), 5))
    halves = [
        list(itertools.islice(shuffled_batches(10, 4, 7, rank=rank, world_size=2), 5)) for rank in range(2)
    ]
    assert all(np.array_equal(np.concatenate(pair), step) for step, *pair in zip(whole, *halves))
    with pytest.raises(UserError, match="data.batch = 3 cannot be split over 2"):
        next(shuffled_batches(10, 3, 7, world_size=2))


def test_positions_of_a_step() -> None:
    assert list(itertools.islice(step_positions(4, step=2), 2)) == [range(8, 12), range(12, 16)]
    assert list(itertools.islice(step_positions(4, rank=1, world_size=2), 2)) == [range(2, 4), range(6, 8)]


@pytest.mark.parametrize("positions", [range(9), (8, 0, 4, 17, 4), (17, 16, 0)])
def test_an_item_is_a_pure_function_of_its_position(positions: range | tuple[int, ...]) -> None:
    """The random streams are part of the format: a change would alter every run that is resumed."""
    items, epochs = np.array([0, 1, 1, 2]), ShuffledEpochs(np.array([0, 1, 1, 2]), (3, 0))
    for position in positions:
        epoch, place = divmod(position, 4)
        assert epochs[position] == np.random.default_rng((3, 0, epoch)).permutation(items)[place]


def test_crops_lie_within_their_items_and_follow_their_lengths() -> None:
    lengths = np.array([8, 5, 21])
    crops = ShuffledCrops(lengths, 8, seed=1)
    assert len(crops) == 1 + 1 + 2
    starts = set()
    for epoch in range(60):
        drawn = [crops[4 * epoch + place] for place in range(4)]
        assert sorted(item for item, _ in drawn) == [0, 1, 2, 2]
        assert all(start == 0 for item, start in drawn if item != 2)
        starts |= {start for item, start in drawn if item == 2}
    assert starts == set(range(14)), "every offset, the last one included"
    item, start = crops[6]
    assert start == np.random.default_rng((1, 1, 6)).integers(lengths[item] - 8 + 1 if item == 2 else 1)
