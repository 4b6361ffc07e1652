"""Result of `evaluate prior`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.metrics.units.code_length import CodeLength
from speechvq.results.result import Result


@dataclass(frozen=True)
class PriorResult(Result):
    """Code lengths of held-out speech under a prior and under n-grams."""

    subject: ClassVar[str] = "prior"

    split: str
    utterances: int
    codes: int
    models: dict[str, CodeLength]  # by name
