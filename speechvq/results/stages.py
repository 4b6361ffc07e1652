"""Result of `evaluate stages`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.metrics.stages import Estimate
from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class StageScores(Record):
    """The metrics of one stage, by name."""

    stage: str
    label: str
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class StageDifference(Record):
    """The metrics of a stage minus those of the stage before, for the same sentences."""

    stage: str
    before: str
    label: str  # what was added between the two
    metrics: dict[str, Estimate]


@dataclass(frozen=True)
class ScoredSound(Record):
    """One sound and its scores."""

    stage: str
    utterance: str
    speaker: str
    target: str
    seed: int
    transcript: str
    scores: dict[str, float]


@dataclass(frozen=True)
class StagesResult(Result):
    """Scores of the same sentences after each stage of a model."""

    subject: ClassVar[str] = "stages"

    model: str
    weights: str  # sixteen hexadecimal digits that identify them
    sentences: int
    words: int
    seeds: int
    judges: list[str]  # descriptions with the settings that move the result
    left_out: list[str]
    stages: list[StageScores]
    differences: list[StageDifference]
    sounds: list[ScoredSound]
