"""Result of `evaluate abx`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.metrics.units.abx import AbxScore
from speechvq.results.codec import Flat
from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class AbxUnits(Record):
    """ABX errors of one kind of units; NaN where no two items could be compared."""

    distance: str  # how two frames are compared
    within: AbxScore  # A, B and X by one speaker
    across: AbxScore  # X by another speaker than A and B


@dataclass(frozen=True)
class AbxResult(Result):
    """ABX errors of codes or features, and of the baselines on the same triples."""

    subject: ClassVar[str] = "abx"

    items: str  # "triphone" or "phoneme"
    context: str  # "within" or "any"
    max_group: int
    max_across: int
    seed: int
    split: str
    num_items: int
    dropped_items: int
    missing_utterances: list[str]
    chance: float
    units: Flat[AbxUnits]
    baselines: dict[str, AbxUnits]  # by name
