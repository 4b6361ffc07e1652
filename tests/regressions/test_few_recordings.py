"""With few recordings training asked for a larger --dev-fraction, which changed nothing: there was no dev."""

import pytest

from speechvq.data.splits import MIN_DEV, SplitRule, split_of


@pytest.mark.parametrize("sizes", [(4,), (5,), (10,), (2, 2), (3, 1, 1), (4, 4), (1, 1, 1, 3), (30,)])
@pytest.mark.parametrize("fraction", [0.01, 0.05, 0.5])
def test_two_utterances_are_held_out_whenever_there_are_four(sizes: tuple[int, ...], fraction: float) -> None:
    speaker_of = {f"s{s}_{i}": f"s{s}" for s, size in enumerate(sizes) for i in range(size)}
    splits = split_of(speaker_of, SplitRule(dev_fraction=fraction, test_fraction=0.05))
    assert sum(split == "dev" for split in splits.values()) >= MIN_DEV
    in_train = {speaker_of[utt] for utt, split in splits.items() if split == "train"}
    assert in_train == set(speaker_of.values())  # no speaker is lost for training


def test_corpora_that_have_enough_are_split_as_before() -> None:
    speaker_of = {f"{speaker}_{i}": speaker for speaker in "pq" for i in range(9)}
    splits = split_of(speaker_of, SplitRule())
    assert sorted(splits.values()) == ["dev"] * 2 + ["test"] * 2 + ["train"] * 14


def test_unseen_speakers_and_a_fraction_of_zero_are_respected() -> None:
    speaker_of = {f"{speaker}_{i}": speaker for speaker in "pq" for i in range(4)}
    splits = split_of(speaker_of, SplitRule(unseen_speakers="p"))
    assert all((split == "unseen") == (speaker_of[utt] == "p") for utt, split in splits.items())
    assert sum(split == "dev" for split in splits.values()) == MIN_DEV
    assert "dev" not in split_of(speaker_of, SplitRule(dev_fraction=0.0)).values()
