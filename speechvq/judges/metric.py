"""What a judge of conversions hears, and what is asked of it."""

from typing import NamedTuple, Protocol

import numpy as np

from speechvq.data.conversions import ConversionPair
from speechvq.metrics.summary import MetricSummary


class ConversionExample(NamedTuple):
    """The sounds of one conversion, (T,) each, 16 kHz."""

    pair: ConversionPair
    source: np.ndarray
    converted: np.ndarray
    target_reference: np.ndarray | None  # another recording of the target
    mismatched_sentence: np.ndarray | None  # the source of another sentence


class Metric(Protocol):
    """Hears every conversion once."""

    def update(self, heard: ConversionExample) -> None:
        """Measure one conversion and its baselines."""

    def compute(self) -> list[MetricSummary]:
        """What all of them come to."""
