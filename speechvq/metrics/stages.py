"""Summary of the same sentences after several stages: means with intervals, and paired differences."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from speechvq.metrics.bootstrap import difference_with_interval, mean_with_interval

Scores = Mapping[str, float]  # of one sound, by name


class StageMetric(NamedTuple):
    """How a metric follows from the scores of the sounds."""

    name: str
    label: str  # heading of its column: metric, unit, arrow of the better direction
    score: str  # the score that is averaged, or the errors that are counted
    length: str = ""  # the score that errors are divided by; "" for a mean
    percent: bool = False


class Estimate(NamedTuple):
    """A value and its 95 % interval; NaN where it is undefined."""

    value: float
    low: float
    high: float


METRICS = (
    StageMetric("word_error_rate", "WER (%) ↓", "word_errors", "words", True),
    StageMetric("character_error_rate", "CER (%) ↓", "character_errors", "characters", True),
    StageMetric("distillmos", "DistillMOS ↑", "distillmos"),
    StageMetric("dnsmos_overall", "DNSMOS ↑", "dnsmos_overall"),
    StageMetric("target_preferred", "target preferred (%) ↑", "target_preferred", percent=True),
    StageMetric("target_cosine", "cosine to target ↑", "target_cosine"),
    StageMetric("source_cosine", "cosine to source ↓", "source_cosine"),
    StageMetric("f0_gross_error", "F0 gross error (%) ↓", "f0_gross_error", percent=True),
    StageMetric("f0_rmse_cents", "F0 error (cents) ↓", "f0_rmse_cents"),
)


def estimate_stage(sentences: Sequence[Sequence[Scores]]) -> dict[str, Estimate]:
    """Every metric of one stage that any sound has, with an interval over sentences.

    Args:
        sentences: the scores of the sounds of each sentence, one per seed; a score that a sound does not have
            is left out.
    """
    return {metric.name: _estimate(metric, sentences, None) for metric in METRICS if _has(metric, sentences)}


def compare_stages(
    first: Sequence[Sequence[Scores]], second: Sequence[Sequence[Scores]]
) -> dict[str, Estimate]:
    """Every metric of `first` minus that of `second` for the same sentences, with a paired interval.

    Args:
        first: as of `estimate_stage`.
        second: of the same sentences in the same order.
    """
    return {
        metric.name: _estimate(metric, first, second)
        for metric in METRICS
        if _has(metric, first) and _has(metric, second)
    }


def _has(metric: StageMetric, sentences: Sequence[Sequence[Scores]]) -> bool:
    return any(metric.score in scores for sounds in sentences for scores in sounds)


def _estimate(
    metric: StageMetric,
    first: Sequence[Sequence[Scores]],
    second: Sequence[Sequence[Scores]] | None,
) -> Estimate:
    weights = [_mean(metric.length, sounds) for sounds in first] if metric.length else None
    values = [None if group is None else _values(metric, group) for group in (first, second)]
    assert values[0] is not None
    if second is None and weights is None:
        return Estimate(*mean_with_interval(values[0]))
    return Estimate(*difference_with_interval(values[0], values[1], weights))


def _values(metric: StageMetric, sentences: Sequence[Sequence[Scores]]) -> list[float]:
    """The metric of each sentence, averaged over its sounds."""
    values = []
    for sounds in sentences:
        value = _mean(metric.score, sounds)
        length = _mean(metric.length, sounds) if metric.length else 1.0
        values.append(value / length if length else np.nan)
    return values


def _mean(name: str, sounds: Sequence[Scores]) -> float:
    """Mean of a score over the sounds that have it; NaN if none has."""
    values = [scores[name] for scores in sounds if np.isfinite(scores.get(name, np.nan))]
    return float(np.mean(values)) if values else np.nan
