"""Result of `evaluate alignments`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.metrics.units.boundaries import BoundarySummary
from speechvq.results.result import Result


@dataclass(frozen=True)
class AlignmentsResult(Result):
    """Boundary errors of one alignment of a corpus against another."""

    subject: ClassVar[str] = "alignments"

    utterances: int
    missing_utterances: int  # of the reference
    boundaries: int  # of the reference
    boundaries_compared: int
    metrics: dict[str, BoundarySummary]  # by name
