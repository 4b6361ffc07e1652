"""Result of `evaluate generation`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class GenerationRow(Record):
    """One metric of generated, real and random codes; NaN where it is undefined."""

    name: str
    label: str  # heading of the table row: metric, unit, arrow of the better direction
    unit: str
    generated: float
    real: float
    chance: float


@dataclass(frozen=True)
class GenerationResult(Result):
    """Generated codes against real ones."""

    subject: ClassVar[str] = "generation"

    rows: list[GenerationRow]
