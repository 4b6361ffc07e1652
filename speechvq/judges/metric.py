"""The interface of conversion metrics: `update` with every conversion, then `compute`.

A new metric is one class with these two methods, added to `speechvq.judges.selection`.
"""

from collections.abc import Callable
from functools import wraps
from hashlib import blake2b
from typing import NamedTuple, Protocol, TypeVar

import numpy as np

from speechvq.data.conversions import ConversionPair
from speechvq.metrics.summary import MetricSummary

T = TypeVar("T")


class ConversionExample(NamedTuple):
    """Waveforms of one conversion, (T,) each, float32, 16 kHz, and of what is measured in its place."""

    pair: ConversionPair
    source: np.ndarray
    converted: np.ndarray
    target_reference: np.ndarray | None  # another recording of the target speaker
    mismatched_sentence: np.ndarray | None  # the source of another sentence, for the chance level
    lossy_copy: np.ndarray | None = None  # the source after a codec, see `audio.lossy_copy`
    random_voice: np.ndarray | None = None  # a recording of another speaker, neither source nor target

    def sounds(self) -> dict[str, np.ndarray]:
        """The conversion and the baselines that exist, by the names that `summarize_metric` takes."""
        sounds = {
            "values": self.converted,
            "source_baseline": self.source,
            "lossy_copy": self.lossy_copy,
            "random_voice": self.random_voice,
            "target_reference": self.target_reference,
        }
        return {kind: wave for kind, wave in sounds.items() if wave is not None}


class Metric(Protocol):
    """A metric over conversions."""

    def update(self, example: ConversionExample) -> None:
        """Measure one conversion and its baselines."""

    def compute(self) -> list[MetricSummary]:
        """Summaries over all conversions."""


def by_content(measure: Callable[[np.ndarray], T]) -> Callable[[np.ndarray], T]:
    """A function of a waveform (T,) that keeps its results: one source is converted to many targets."""
    results: dict[bytes, T] = {}

    @wraps(measure)
    def measured(wave: np.ndarray) -> T:
        key = blake2b(wave.tobytes()).digest()
        if key not in results:
            results[key] = measure(wave)
        return results[key]

    return measured
