"""Crops of code strings."""

from itertools import islice

import numpy as np
import pytest
import torch

from helpers.tiny_prior import CODES, SPEAKERS
from speechvq.data.code_crops import CodeSampler
from speechvq.data.code_strings import CodeString
from speechvq.errors import UserError


def strings(*lengths: int) -> list[CodeString]:
    """Code i is i modulo the number of codes; the speaker alternates."""
    return [CodeString(str(i), SPEAKERS[i % 2], "train", np.arange(n) % CODES) for i, n in enumerate(lengths)]


def test_crops_are_pieces_of_strings_and_give_the_previous_code() -> None:
    sampler = CodeSampler(strings(40, 7, 16), SPEAKERS, 16, CODES, seed=0)
    assert len(sampler) == 2 + 1 + 1
    seen = set()
    for crop in islice(sampler.batches(4), 20):
        assert crop.codes.shape == (4, 16) and crop.codes.dtype == torch.int64
        for codes, prev_code, speaker, length in zip(*crop):
            own = codes[:length].tolist()
            first = own[0]
            assert own == [(first + i) % CODES for i in range(len(own))] and not codes[length:].any()
            assert int(prev_code) in ((first - 1) % CODES, CODES) and (int(prev_code) != CODES or first == 0)
            assert (int(length), int(speaker)) in ((16, 0), (7, 1))
            seen.add((int(length), int(prev_code) == CODES))
    assert seen == {(16, True), (16, False), (7, True)}


def test_batches_are_a_function_of_step_and_rank() -> None:
    sampler = CodeSampler(strings(40, 7, 60, 9), (), 8, CODES, seed=3)
    straight = list(islice(sampler.batches(4), 12))
    again = list(islice(CodeSampler(strings(40, 7, 60, 9), (), 8, CODES, seed=3).batches(4, step=5), 7))
    assert all(torch.equal(a, b) for one, other in zip(straight[5:], again) for a, b in zip(one, other))
    halves = [next(sampler.batches(4, step=2, rank=rank, world_size=2)) for rank in (0, 1)]
    assert torch.equal(torch.cat([half.codes for half in halves]), straight[2].codes)
    other = next(CodeSampler(strings(40, 7, 60, 9), (), 8, CODES, seed=4).batches(4))
    assert not torch.equal(other.codes, straight[0].codes)
    with pytest.raises(UserError, match="data.batch = 4 cannot be split over 3 processes"):
        next(sampler.batches(4, world_size=3))


def test_crops_per_epoch_follow_the_lengths() -> None:
    sampler = CodeSampler(strings(8, 16, 24), (), 8, CODES, seed=0)
    for epoch in range(3):
        owners = sorted(sampler.positions[epoch * 6 + i][0] for i in range(6))
        assert owners == [0, 1, 1, 2, 2, 2]
