"""Small results as `evaluate --json` writes them, for tests of the report."""

import dataclasses
import math
from pathlib import Path

from speechvq.metrics.conversion import ConversionMetrics
from speechvq.metrics.stages import Estimate
from speechvq.metrics.summary import MetricSummary
from speechvq.metrics.units.abx import AbxScore
from speechvq.results.abx import AbxResult, AbxUnits
from speechvq.results.conversion import ConversionResult, ConvertedUtterance
from speechvq.results.likelihood import ImageBound, LikelihoodResult
from speechvq.results.result import Result
from speechvq.results.rollout import ActionAccuracy, FrameQuality, RolloutResult, Sharpness
from speechvq.results.stages import ScoredSound, StageDifference, StageScores, StagesResult
from speechvq.results.units import BaselinesResult, PurityCorpus, PurityMetrics, PurityResult

MEDIAN_F0 = {"ann": 210.0, "ben": 110.0, "cay": 165.0}  # Hz
NO_METRICS = ConversionMetrics(**dict.fromkeys(ConversionMetrics._fields, math.nan))  # type: ignore[arg-type]


def converted_utterance(
    source: str,
    target: str,
    f0: float,
    label: str,
    *,
    source_f0: float | None = None,
    target_f0: float | None = None,
) -> ConvertedUtterance:
    """A conversion with a median F0 in Hz and a speaker classification; other metrics are NaN."""
    metrics = NO_METRICS._replace(
        converted_f0_hz=f0,
        source_speaker_f0_hz=MEDIAN_F0[source] if source_f0 is None else source_f0,
        target_speaker_f0_hz=MEDIAN_F0[target] if target_f0 is None else target_f0,
        classified_as=label,  # type: ignore[arg-type]
    )
    return ConvertedUtterance(f"{source}_2", source, target, metrics)


def conversions() -> ConversionResult:
    """Three conversions of ann and ben to ben and cay; one is whispered and has no F0."""
    summaries = [
        MetricSummary(
            "f0_closer_to_target", "F0 closer to target (%)", "%", 2 / 3, 0.2, 0.9, 3, 0.5, 0.0, 1.0
        ),
        MetricSummary("target_preferred", "target preferred (%)", "%", 1.0, 0.44, 1.0, 3, 0.5, 0.0, 1.0),
        MetricSummary(
            "log_mel_distance_db", "log-mel distance (dB)", "dB", 6.1, 5.2, 7.3, 3, 9.8, 0.0, math.nan
        ),
    ]
    return ConversionResult(
        num_speakers=3,
        conversions=[
            converted_utterance("ann", "ben", 112.0, "target"),
            converted_utterance("ann", "cay", math.nan, "other"),
            converted_utterance("ben", "cay", 150.0, "target"),
        ],
        summary={each.name: each for each in summaries},
        unmatched={},
        judges=["Whisper base"],
    )


PURITY = PurityMetrics(
    frames=225,
    dropped_frames=0,
    num_phones=3,
    majority_prior=0.333,
    phone_purity=0.437,
    phone_purity_heldout=None,
    cluster_purity=0.2,
    pnmi=0.034,
    shuffled_phone_purity=0.4,
    shuffled_pnmi=0.02,
    active_codes=8,
    perplexity=7.8,
    bitrate_entropy=148.2,
    bitrate_max=150.0,
)


def purity() -> PurityResult:
    """A purity result of 225 codes and three phones."""
    intervals = {"phone_purity": (0.389, 0.471), "phone_purity_heldout": None, "pnmi": (0.012, 0.056)}
    corpus = PurityCorpus("exp/run/codes", "data/lab", 50.0, 8, 3, [], 0, [], 0, ["A", "B", "C"])
    return PurityResult(PURITY, PURITY, {"all": intervals, "edges_trimmed": intervals}, corpus)


def baselines() -> BaselinesResult:
    """k-means with two seeds, and the codes of `purity` named by their folder."""
    seeds = [dataclasses.replace(PURITY, phone_purity=value) for value in (0.25, 0.35)]
    rows = {"k-means on MFCC": seeds, "exp/run/codes": [PURITY]}
    return BaselinesResult("test", 8, 50.0, 3, [], {"all": rows, "edges_trimmed": rows})


def abx() -> AbxResult:
    """ABX results of codes and of one baseline; the baseline has no triples across speakers."""
    score, empty = AbxScore(0.123, 0.1, 0.15, 2, 2, 9), AbxScore(math.nan, math.nan, math.nan, 0, 0, 0)
    return AbxResult(
        items="phoneme",
        context="any",
        max_group=10,
        max_across=5,
        seed=0,
        split="test",
        num_items=9,
        dropped_items=0,
        missing_utterances=[],
        chance=0.5,
        units=AbxUnits("equal or not", score, score),
        baselines={"MFCC": AbxUnits("angle of features", score, empty)},
    )


def likelihood() -> LikelihoodResult:
    """Bounds on 1500 images under two priors."""
    bound = ImageBound(bits_per_dim=7.5, standard_error=0.0121, reconstruction=5.625, latents=1.875)
    return LikelihoodResult(
        run="exp/run",
        prior="exp/prior",
        kind="image_vqvae",
        images=1500,
        under={"uniform": bound, "fitted": bound},
        bits_per_dim=7.5,
    )


def rollout() -> RolloutResult:
    """A rollout result of three videos of four frames; the name of the prior contains HTML markup."""
    names = ("real", "reconstruction", "imagined")
    return RolloutResult(
        prior="<b>exp",
        data="data/maze",
        split="test",
        rollouts=3,
        frames=4,
        context_frames=6,
        seed=0,
        temperature=1.0,
        top_p=1.0,
        windows=5,
        bits={"uniform": 9.0, "<b>exp": 2.25},
        quality={"1": {"imagined": FrameQuality(17.5, 0.4), "last frame": FrameQuality(None, 1.0)}},
        actions={"4": ActionAccuracy(real=0.9, reconstruction=0.8, imagined=0.72, pairs=12, majority=0.3)},
        sharpness=Sharpness({name: [12.0, 11.0] for name in names}, dict.fromkeys(names, 0.917)),
    )


def write(path: Path, result: Result) -> Path:
    """Write a result and return its path."""
    result.save(path)
    return path


def stages() -> StagesResult:
    """Recordings and codes of one sentence, and the difference of the two."""
    recordings, codes = (
        {"word_error_rate": Estimate(0.1, 0.0, 0.2)},
        {"word_error_rate": Estimate(0.3, 0.2, 0.4)},
    )
    return StagesResult(
        model="english29",
        weights="0123456789abcdef",
        sentences=1,
        words=10,
        seeds=1,
        judges=["Whisper base"],
        left_out=[],
        stages=[
            StageScores("recordings", "recordings", recordings),
            StageScores("codes", "codes + noise", codes),
        ],
        differences=[
            StageDifference("codes", "recordings", "<codes>", {"word_error_rate": Estimate(0.2, 0.1, 0.3)})
        ],
        sounds=[
            ScoredSound("codes", "ann_0", "ann", "cay", 0, "a text", {"word_errors": 3.0, "words": 10.0})
        ],
    )
