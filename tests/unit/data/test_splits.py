"""Splits: fractions, dependence on seed and name alone, and unseen speakers."""

import random
from collections import Counter

import pytest

from speechvq.data.splits import SplitRule, choose_unseen, split_of
from speechvq.errors import UserError


def corpus(**sizes: int) -> dict[str, str]:
    return {f"{speaker}_{number:03d}": speaker for speaker, size in sizes.items() for number in range(size)}


def counts(splits: dict[str, str]) -> dict[str, int]:
    return dict(Counter(splits.values()))


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        (1, {"train": 1}),
        (3, {"train": 3}),
        (4, {"train": 2, "dev": 2}),
        (5, {"train": 2, "dev": 2, "test": 1}),
        (39, {"train": 36, "dev": 2, "test": 1}),
        (400, {"train": 360, "dev": 20, "test": 20}),
    ],
)
def test_split_of_a_speaker(size: int, expected: dict[str, int]) -> None:
    assert counts(split_of(corpus(p=size), SplitRule())) == expected


@pytest.mark.parametrize(("dev", "test", "expected"), [(0, 0, {"train"}), (0, 0.1, {"train", "test"})])
def test_a_fraction_of_zero_gives_no_utterances(dev: float, test: float, expected: set[str]) -> None:
    assert set(split_of(corpus(p=50), SplitRule(dev, test)).values()) == expected


def test_training_keeps_at_least_one_utterance() -> None:
    for size in range(5, 40):
        assert counts(split_of(corpus(p=size), SplitRule(0.9, 0.09)))["train"] >= 1


def test_splits_depend_on_the_seed_and_not_on_the_order() -> None:
    ordered = corpus(p=40, q=40, r=40)
    mixed = dict(random.Random(1).sample(sorted(ordered.items()), len(ordered)))
    rule = SplitRule(unseen_speakers="1")
    assert split_of(ordered, rule) == split_of(mixed, rule)
    assert split_of(ordered, SplitRule(seed=1)) != split_of(ordered, SplitRule(seed=2))


def test_another_speaker_changes_no_other_split() -> None:
    before, after = split_of(corpus(p=40), SplitRule()), split_of(corpus(p=40, q=40), SplitRule())
    assert before.items() <= after.items()


@pytest.mark.parametrize("setting", ["q", "q,", " q , r ", "2"])
def test_all_utterances_of_an_unseen_speaker_are_unseen(setting: str) -> None:
    speakers = corpus(p=9, q=9, r=9)
    rule = SplitRule(unseen_speakers=setting)
    unseen = choose_unseen(speakers.values(), rule)
    assert len(unseen) == (1 if setting in ("q", "q,") else 2)
    for utt, split in split_of(speakers, rule).items():
        assert (split == "unseen") == (speakers[utt] in unseen)


def test_a_number_that_is_a_name_is_a_name() -> None:
    assert choose_unseen(["118", "163", "226"], SplitRule(unseen_speakers="163")) == {"163"}
    assert choose_unseen(["1", "2"], SplitRule(unseen_speakers="1,")) == {"1"}
    assert choose_unseen(["118", "163", "226"], SplitRule(unseen_speakers="0")) == set()


@pytest.mark.parametrize("setting", ["p,q", "2", "7", "x", "p,x", "-1"])
def test_invalid_unseen_speakers_are_user_errors(setting: str) -> None:
    with pytest.raises(UserError, match="--unseen-speakers"):
        split_of(corpus(p=5, q=5), SplitRule(unseen_speakers=setting))


@pytest.mark.parametrize(("dev", "test"), [(-0.1, 0), (0.5, 0.5), (0, 1), (float("nan"), 0)])
def test_invalid_fractions_are_user_errors(dev: float, test: float) -> None:
    with pytest.raises(UserError, match="--dev-fraction"):
        SplitRule(dev, test)
