"""Code strings for training: splits, speakers, and crops that are pure functions of their position."""

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch

from helpers.tiny_prior import CODES, SPEAKERS, make_codes
from speechvq.data.code_strings import (
    CodeSampler,
    CodeString,
    mismatched_speakers,
    read_strings,
    speaker_indices,
)
from speechvq.data.codes_directory import open_codes
from speechvq.data.unit_formats.npy import write_npy
from speechvq.errors import UserError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_codes(tmp_path)


def test_splits_and_speakers_come_from_the_manifest(folder: Path) -> None:
    (folder / "codes/ada_1.npy").unlink()  # not encoded
    write_npy(folder / "codes/bob_1.npy", np.empty(0, np.int64))
    write_npy(folder / "codes/unknown.npy", np.zeros(5, np.int64))
    strings = read_strings(open_codes(folder / "codes"), folder, ("train", "dev"))
    names = sorted(f"{who}_{i}" for who in SPEAKERS for i in range(7) if i != 1)
    assert [string.utt for string in strings] == names
    assert [string.split for string in strings] == (["train"] * 5 + ["dev"]) * 2
    assert {string.speaker for string in strings} == set(SPEAKERS)
    assert (
        np.array_equal(strings[0].codes, np.load(folder / "codes/ada_0.npy"))
        and strings[0].codes.dtype == np.uint16
    )


def test_without_a_manifest_splits_follow_from_names(folder: Path) -> None:
    for i in range(200):
        write_npy(folder / f"codes/more_{i}.npy", np.zeros(1, np.int64))
    directory = open_codes(folder / "codes")
    parts = [{s.utt for s in read_strings(directory, None, (split,))} for split in ("train", "dev", "test")]
    assert (
        sum(map(len, parts)) == 216
        and not parts[0] & parts[1]
        and [len(part) for part in parts[1:]] == [10, 10]
    )


def test_a_missing_split_is_named(folder: Path) -> None:
    directory = open_codes(folder / "codes")
    with pytest.raises(UserError, match="no codes of split 'unseen'; encode the whole corpus"):
        read_strings(directory, folder, ("train", "unseen"))
    shutil.move(folder / "codes/ada_0.npy", folder / "codes/other.npy")
    few = open_codes(folder / "codes").named_as({"other": "other"})
    with pytest.raises(UserError, match="no codes of split 'train'"):
        read_strings(few, folder, ("train",))


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


def test_speaker_indices() -> None:
    assert speaker_indices(strings(1, 1, 1), SPEAKERS).tolist() == [0, 1, 0]
    assert speaker_indices(strings(1, 1), ()).tolist() == [0, 0]
    for count in (2, 3, 28):
        numbers = np.arange(count)
        others = mismatched_speakers(numbers, count)
        assert sorted(others) == numbers.tolist() and not (others == numbers).any()
    with pytest.raises(UserError, match="speakers unknown to the prior: 'bob'"):
        speaker_indices(strings(1, 1), ("ada",))
