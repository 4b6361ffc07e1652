"""Phone error rate of conversions against their sources, by PocketSphinx."""

from hashlib import blake2b

import numpy as np

from speechvq.alignment.pocketsphinx import PhoneRecognizer
from speechvq.judges.metric import ConversionExample
from speechvq.metrics.edit_distance import error_rate
from speechvq.metrics.summary import MetricSummary, summarize_metric


class CachedPhoneRecognizer:
    """A phone recognizer that keeps its results, because one source is converted to many targets.

    Raises:
        UserError: PocketSphinx is not installed.
    """

    def __init__(self) -> None:
        self._recognizer = PhoneRecognizer()
        self._results: dict[bytes, list[str]] = {}

    def __call__(self, wave: np.ndarray) -> list[str]:
        """Phones of a waveform (T,), 16 kHz."""
        key = blake2b(wave.tobytes()).digest()
        if key not in self._results:
            self._results[key] = self._recognizer.phones(wave)
        return self._results[key]


class PhoneErrorRate:
    """Phones recognized in the conversion against phones recognized in the source.

    Chance: phones of another sentence.
    """

    def __init__(self, recognizer: CachedPhoneRecognizer) -> None:
        self._phones = recognizer
        self._rates: list[float] = []
        self._mismatched: list[float] = []

    def update(self, example: ConversionExample) -> None:
        """Measure one conversion, and the difference of its source from another sentence."""
        reference = self._phones(example.source)
        self._rates.append(error_rate(reference, self._phones(example.converted)))
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
            )
        ]
