"""Result of `evaluate voices`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class VoiceQuality(Record):
    """Predicted quality of one speaker of a model, 1 to 5."""

    speaker: str
    sentences: int
    seconds: float
    resynthesis: float  # mean over the sentences, resynthesized by the speaker
    recordings: float  # the same for the recordings themselves


@dataclass(frozen=True)
class VoicesResult(Result):
    """Predicted quality of the speakers of a model."""

    subject: ClassVar[str] = "voices"

    model: str
    splits: list[str]  # of the sentences
    judge: str
    voices: list[VoiceQuality]
    without_sentences: list[str]  # speakers
