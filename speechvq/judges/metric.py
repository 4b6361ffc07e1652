"""The interface of conversion metrics: `update` with every conversion, then `compute`.

A new metric is one class with these two methods, added to `speechvq.judges.selection`.
"""

from typing import NamedTuple, Protocol

import numpy as np

from speechvq.data.conversions import ConversionPair
from speechvq.metrics.summary import MetricSummary


class ConversionExample(NamedTuple):
    """Waveforms of one conversion, (T,) each, float32, 16 kHz."""

    pair: ConversionPair
    source: np.ndarray
    converted: np.ndarray
    target_reference: np.ndarray | None  # another recording of the target speaker
    mismatched_sentence: np.ndarray | None  # the source of another sentence, for the chance level


class Metric(Protocol):
    """A metric over conversions."""

    def update(self, example: ConversionExample) -> None:
        """Measure one conversion and its baselines."""

    def compute(self) -> list[MetricSummary]:
        """Summaries over all conversions."""
