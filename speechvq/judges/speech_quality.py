"""Speech quality by DNSMOS, a network trained on listener ratings; the optional extra "quality".

Reddy et al. (2022), "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric"; the networks
are part of the package speechmos.
"""

import warnings

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.errors import UserError
from speechvq.judges.metric import ConversionExample
from speechvq.metrics.summary import MetricSummary, summarize_metric

REMEDY = "pip install 'speechvq[quality]'"


class DnsmosModel:
    """Predicts mean opinion scores from 1 (bad) to 5 (excellent).

    Raises:
        UserError: speechmos or one of its dependencies is not installed.
    """

    def __init__(self) -> None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from speechmos import dnsmos
        except ImportError as error:
            raise UserError(f"DNSMOS needs speechmos ({error}): {REMEDY}") from error
        self._run = dnsmos.run

    def overall_score(self, wave: np.ndarray) -> float:
        """Overall quality of a recording (T,), 16 kHz, after level normalization; NaN if it is empty."""
        if not len(wave):
            return float("nan")
        samples = np.clip(normalize_level(np.asarray(wave, np.float32)), -1.0, 1.0)
        return float(self._run(samples, SAMPLE_RATE)["ovrl_mos"])


class SpeechQuality:
    """Mean DNSMOS score of the conversions; chance: white noise.

    Raises:
        UserError: speechmos is not installed.
    """

    def __init__(self) -> None:
        self._model = DnsmosModel()
        kinds = ("converted", "source_baseline", "target_reference")
        self._scores: dict[str, list[float]] = {kind: [] for kind in kinds}

    def update(self, example: ConversionExample) -> None:
        """Score conversion, source and another recording of the target."""
        waves = {
            "converted": example.converted,
            "source_baseline": example.source,
            "target_reference": example.target_reference,
        }
        for kind, wave in waves.items():
            if wave is not None:
                self._scores[kind].append(self._model.overall_score(wave))

    def compute(self) -> list[MetricSummary]:
        """The mean opinion score, 1 to 5."""
        noise = self._model.overall_score(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
        return [
            summarize_metric(
                "dnsmos_overall",
                "DNSMOS, overall quality (1-5) ↑",
                "1-5",
                self._scores["converted"],
                chance=[noise],
                source_baseline=self._scores["source_baseline"],
                target_reference=self._scores["target_reference"],
            )
        ]
