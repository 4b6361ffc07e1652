"""Result of `evaluate rollout`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class FrameQuality(Record):
    """Similarity to the true frame."""

    psnr: float | None  # dB; None for equal frames
    ssim: float


@dataclass(frozen=True)
class ActionAccuracy(Record):
    """Fractions of actions that a classifier recognizes from two neighboring frames."""

    real: float
    reconstruction: float
    imagined: float
    pairs: int
    majority: float  # fraction of the most frequent action


@dataclass(frozen=True)
class Sharpness(Record):
    """Mean gradient magnitude in gray levels per pixel, by "imagined", "reconstruction" and "real"."""

    by_frame: dict[str, list[float]]
    last_to_first: dict[str, float | None]  # ratio of the last frame to the first; None where that is flat


@dataclass(frozen=True)
class RolloutResult(Result):
    """Sampled videos against what was recorded."""

    subject: ClassVar[str] = "rollout"

    prior: str
    data: str
    split: str
    rollouts: int
    frames: int  # per video
    context_frames: int
    seed: int
    temperature: float
    top_p: float
    windows: int  # whose bits are counted
    bits: dict[str, float]  # per code, by model; the prior's under its path
    quality: dict[str, dict[str, FrameQuality]]  # by frames ahead, then "imagined", "last frame", ...
    actions: dict[str, ActionAccuracy]  # by the count of first frames
    sharpness: Sharpness

    def __post_init__(self) -> None:
        if self.prior not in self.bits or not self.quality:
            raise ValueError("bits or quality: the prior's values are missing")
