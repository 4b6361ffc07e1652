"""Phone error rate of conversions against their sources, by a phone recognizer."""

from collections.abc import Callable

import numpy as np

from speechvq.judges.metric import ConversionExample
from speechvq.metrics.edit_distance import error_rate
from speechvq.metrics.summary import MetricSummary, summarize_metric


class PhoneErrorRate:
    """Phones recognized in the conversion against phones recognized in the source.

    Chance: phones of another sentence.
    """

    def __init__(self, phones: Callable[[np.ndarray], list[str]]) -> None:
        """
        Args:
            phones: recognizes the phones of a waveform (T,), 16 kHz.
        """
        self._phones = phones
        self._rates: list[float] = []
        self._copies: list[float] = []
        self._mismatched: list[float] = []

    def update(self, example: ConversionExample) -> None:
        """Measure one conversion, and the difference of its source from its copy and another sentence."""
        reference = self._phones(example.source)
        self._rates.append(error_rate(reference, self._phones(example.converted)))
        if example.lossy_copy is not None:
            self._copies.append(error_rate(reference, self._phones(example.lossy_copy)))
        if example.mismatched_sentence is not None:
            self._mismatched.append(error_rate(reference, self._phones(example.mismatched_sentence)))

    def compute(self) -> list[MetricSummary]:
        """The phone error rate of the conversions."""
        label = "phone error rate vs. source (%) ↓"
        return [
            summarize_metric(
                "phone_error_rate",
                label,
                "%",
                self._rates,
                chance=self._mismatched,
                source_baseline=[0.0],
                lossy_copy=self._copies,
            )
        ]
