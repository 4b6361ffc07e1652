"""Result of `evaluate conversion`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.metrics.conversion import ConversionMetrics
from speechvq.metrics.summary import MetricSummary
from speechvq.results.codec import Flat
from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class ConvertedUtterance(Record):
    """One conversion and its measurements."""

    utterance: str
    source: str  # speaker
    target: str  # speaker
    metrics: Flat[ConversionMetrics]


@dataclass(frozen=True)
class ConversionResult(Result):
    """Measurements of every conversion, and their summary."""

    subject: ClassVar[str] = "conversion"

    num_speakers: int  # that the classifier chose from
    conversions: list[ConvertedUtterance]
    summary: dict[str, MetricSummary]  # by name
    unmatched: dict[str, list[str]]  # names of recordings without a partner
    judges: list[str]  # descriptions of networks whose settings move the result
