"""Who is heard in training and who is not: seeded splits that do not depend on the order of the files."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from speechvq.errors import UserError

TRAIN, DEV, TEST, UNSEEN = "train", "dev", "test", "unseen"
FEWEST_TO_SHARE = 5  # a speaker with fewer utterances keeps them all for training


@dataclass(frozen=True)
class SplitRule:
    """How a corpus is divided. The shares are our choice; the paper does not tell its own."""

    dev_share: float = 0.05  # of each speaker's utterances
    test_share: float = 0.05
    unseen_speakers: str = "0"  # how many speakers are kept out of training, or their names: "p225,p226"
    seed: int = 0

    def __post_init__(self) -> None:
        if not (
            0 <= self.dev_share < 1 and 0 <= self.test_share < 1 and self.dev_share + self.test_share < 1
        ):
            raise UserError(
                f"--dev-share {self.dev_share} and --test-share {self.test_share}: give shares of at least 0 "
                "that leave something for training, for example 0.05"
            )


def split_of(speaker_of: Mapping[str, str], rule: SplitRule) -> dict[str, str]:
    """The split of each utterance: train, dev, test, or unseen for all utterances of an unseen speaker.

    Args:
        speaker_of: utterance -> speaker; its order does not matter.

    Raises:
        UserError: the rule names or counts speakers that are not there.
    """
    unseen = choose_unseen(speaker_of.values(), rule)
    by_speaker: dict[str, list[str]] = defaultdict(list)
    for utt, speaker in speaker_of.items():
        by_speaker[speaker].append(utt)
    splits: dict[str, str] = {}
    for speaker, utterances in by_speaker.items():
        splits |= dict.fromkeys(utterances, UNSEEN) if speaker in unseen else _shares(utterances, rule)
    return splits


def choose_unseen(speakers: Iterable[str], rule: SplitRule) -> set[str]:
    """The speakers kept out of training.

    A number is a count, unless a speaker bears it as a name as in LibriSpeech; "118," always names one.

    Raises:
        UserError: a name that is not a speaker, or nobody left for training.
    """
    present = set(speakers)
    wanted = rule.unseen_speakers.strip()
    if wanted.isdecimal() and wanted not in present:
        chosen = set(_shuffled(present, rule.seed)[: int(wanted)])
        few = int(wanted) >= len(present)
    else:
        chosen = {name.strip() for name in wanted.split(",") if name.strip()}
        few = chosen >= present
    if strangers := sorted(chosen - present):
        raise UserError(
            f"--unseen-speakers: no speaker {', '.join(strangers)}; there are {_some(sorted(present))}"
        )
    if few and present:
        raise UserError(
            f"--unseen-speakers {wanted}: leaves none of {len(present)} speakers to train on; give fewer"
        )
    return chosen


def _shares(utterances: list[str], rule: SplitRule) -> dict[str, str]:
    if len(utterances) < FEWEST_TO_SHARE:
        return dict.fromkeys(utterances, TRAIN)
    ordered = _shuffled(utterances, rule.seed)
    dev = _count(rule.dev_share, len(ordered))
    test = min(_count(rule.test_share, len(ordered)), len(ordered) - dev - 1)  # one stays for training
    return {
        utt: DEV if place < dev else TEST if place < dev + test else TRAIN
        for place, utt in enumerate(ordered)
    }


def _count(share: float, total: int) -> int:
    return max(1, int(share * total)) if share else 0


def _shuffled(names: Iterable[str], seed: int) -> list[str]:
    """Sorted by a hash of seed and name, so that nothing but these two decides."""
    return sorted(names, key=lambda name: sha256(f"{seed}:{name}".encode()).digest())


def _some(names: list[str], shown: int = 8) -> str:
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")
