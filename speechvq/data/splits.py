"""Seeded splits of a corpus. They do not depend on the order of the files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from speechvq.errors import UserError
from speechvq.io.names import normalized, split_names

TRAIN, DEV, TEST, UNSEEN = "train", "dev", "test", "unseen"
MIN_UTTERANCES_TO_SPLIT = 5  # a speaker with fewer utterances has all of them in train, see MIN_DEV
MIN_DEV = 2  # utterances in split dev; training evaluates them with the codes of one another
MIN_UTTERANCES_FOR_DEV = 4  # a corpus with fewer has no MIN_DEV


@dataclass(frozen=True)
class SplitRule:
    """How a corpus is split. The fractions are our choice; the paper does not state its own."""

    dev_fraction: float = 0.05  # of each speaker's utterances
    test_fraction: float = 0.05
    unseen_speakers: str = "0"  # speakers kept out of training: a number, or names as in "p225,p226"
    seed: int = 0

    def __post_init__(self) -> None:
        dev, test = self.dev_fraction, self.test_fraction
        if not (0 <= dev < 1 and 0 <= test < 1 and dev + test < 1):
            raise UserError(
                f"--dev-fraction {dev} and --test-fraction {test}: give fractions of at least 0 that leave "
                "utterances for training, for example 0.05"
            )


def split_of(speaker_of: Mapping[str, str], rule: SplitRule) -> dict[str, str]:
    """The split of each utterance: train, dev, test, or unseen for all utterances of an unseen speaker.

    The fractions hold for each speaker. If they leave fewer than two utterances for dev, which training
    needs, dev takes some of the speakers with the most training utterances.

    Args:
        speaker_of: the speaker of each utterance; its order does not matter.

    Raises:
        UserError: the rule names speakers that do not exist, or leaves none for training.
    """
    unseen = choose_unseen(speaker_of.values(), rule)
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for utt, speaker in speaker_of.items():
        by_speaker[speaker].append(utt)
    splits: dict[str, str] = {}
    for speaker, utterances in by_speaker.items():
        is_unseen = normalized(speaker) in unseen
        splits |= dict.fromkeys(utterances, UNSEEN) if is_unseen else _split_utterances(utterances, rule)
    return splits | _more_dev(splits, speaker_of, rule.seed) if rule.dev_fraction else splits


def choose_unseen(speakers: Iterable[str], rule: SplitRule) -> set[str]:
    """The speakers that are kept out of training.

    A number is a count, unless it is the name of a speaker, as in LibriSpeech; "118," is always a name. Names
    stand between commas; see `split_names` for names that contain commas.

    Raises:
        UserError: a name that is not a speaker, or no speaker left for training.
    """
    present = set(map(normalized, speakers))
    requested = normalized(rule.unseen_speakers.strip())
    if requested.isdecimal() and requested not in present:
        chosen = set(_shuffled(present, rule.seed)[: int(requested)])
        all_unseen = int(requested) >= len(present)
    else:
        chosen = set(split_names(requested, present.__contains__))
        all_unseen = chosen >= present
    if unknown := sorted(chosen - present):
        raise UserError(
            f"--unseen-speakers: no speaker {', '.join(unknown)}; there are {_join_some(sorted(present))}"
        )
    if all_unseen and present:
        raise UserError(
            f"--unseen-speakers {requested}: leaves none of {len(present)} speakers to train on; give fewer"
        )
    return chosen


def _split_utterances(utterances: list[str], rule: SplitRule) -> dict[str, str]:
    if len(utterances) < MIN_UTTERANCES_TO_SPLIT:
        return dict.fromkeys(utterances, TRAIN)
    ordered = _shuffled(utterances, rule.seed)
    dev = _count(rule.dev_fraction, len(ordered))
    test = min(_count(rule.test_fraction, len(ordered)), len(ordered) - dev - 1)  # one stays for training
    return {
        utt: DEV if place < dev else TEST if place < dev + test else TRAIN
        for place, utt in enumerate(ordered)
    }


def _more_dev(splits: Mapping[str, str], speaker_of: Mapping[str, str], seed: int) -> dict[str, str]:
    """Utterances that move from train to dev, so that dev has MIN_DEV; every speaker keeps one in train."""
    missing = MIN_DEV - sum(split == DEV for split in splits.values())
    if missing <= 0 or sum(split != UNSEEN for split in splits.values()) < MIN_UTTERANCES_FOR_DEV:
        return {}
    train: dict[str, list[str]] = defaultdict(list)
    for utt in _shuffled((utt for utt, split in splits.items() if split == TRAIN), seed):
        train[speaker_of[utt]].append(utt)
    moved = {}
    for _ in range(missing):
        most = max(sorted(train), key=lambda speaker: len(train[speaker]), default="")
        if len(train.get(most, ())) > 1:
            moved[train[most].pop()] = DEV
    return moved


def _count(fraction: float, total: int) -> int:
    return max(1, int(fraction * total)) if fraction else 0


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Names sorted by a hash of seed and name, so the order depends on nothing else."""
    return sorted(names, key=lambda name: sha256(f"{seed}:{name}".encode()).digest())


def _join_some(names: list[str], shown: int = 8) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
