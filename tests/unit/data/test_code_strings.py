"""Code strings for training: splits, speakers, and crops that are pure functions of their position."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.tiny_prior import CODES, SPEAKERS, make_codes
from speechvq.data.code_strings import (
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


def test_speaker_indices() -> None:
    assert speaker_indices(strings(1, 1, 1), SPEAKERS).tolist() == [0, 1, 0]
    assert speaker_indices(strings(1, 1), ()).tolist() == [0, 0]
    for count in (2, 3, 28):
        numbers = np.arange(count)
        others = mismatched_speakers(numbers, count)
        assert sorted(others) == numbers.tolist() and not (others == numbers).any()
    with pytest.raises(UserError, match="speakers unknown to the prior: 'bob'"):
        speaker_indices(strings(1, 1), ("ada",))
