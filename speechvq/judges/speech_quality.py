"""Speech quality by networks trained on listener ratings: DNSMOS (the extra "quality") and DistillMOS.

Reddy et al. (2022), "DNSMOS P.835: a non-intrusive perceptual objective speech quality metric"; the networks
are part of the package speechmos. DistillMOS: see `speechvq.judges.distillmos`.
"""

import warnings
from typing import Protocol

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE, normalize_level
from speechvq.errors import UserError
from speechvq.judges.metric import ConversionExample, by_content
from speechvq.metrics.summary import MetricSummary, summarize_metric

REMEDY = "pip install 'speechvq[quality]'"


class QualityModel(Protocol):
    """Predicts mean opinion scores from 1 (bad) to 5 (excellent)."""

    def overall_score(self, wave: np.ndarray) -> float:
        """Quality of a recording (T,), 16 kHz, after level normalization; NaN if it is too short."""


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
    """Mean quality score of the conversions; chance: white noise."""

    def __init__(self, model: QualityModel, name: str, label: str) -> None:
        """
        Args:
            model: predicts the scores.
            name: of the metric, for example "dnsmos_overall".
            label: of its row, without unit.
        """
        self._score, self._name, self._label = by_content(model.overall_score), name, label
        self._scores: dict[str, list[float]] = {"values": []}

    def update(self, example: ConversionExample) -> None:
        """Score the conversion and the baselines."""
        for kind, wave in example.sounds().items():
            self._scores.setdefault(kind, []).append(self._score(wave))

    def compute(self) -> list[MetricSummary]:
        """The mean opinion score, 1 to 5."""
        noise = self._score(np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE))
        return [summarize_metric(self._name, f"{self._label} (1-5) ↑", "1-5", chance=[noise], **self._scores)]


def dnsmos() -> SpeechQuality:
    """The overall score of DNSMOS.

    Raises:
        UserError: speechmos is not installed.
    """
    return SpeechQuality(DnsmosModel(), "dnsmos_overall", "DNSMOS, overall quality")


def distillmos() -> SpeechQuality:
    """The score of DistillMOS.

    Raises:
        UserError: distillmos is not installed.
    """
    from speechvq.judges.distillmos import DistillMosModel

    return SpeechQuality(DistillMosModel(), "distillmos", "DistillMOS, overall quality")
