"""Result of `evaluate likelihood`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class ImageBound(Record):
    """An upper bound on -log2 p(x) under one prior of the latents, bits per dimension, and its two parts."""

    bits_per_dim: float  # of VIMCO importance-weighted, so below the sum of its parts
    standard_error: float  # over images
    reconstruction: float  # -log2 p(x | z)
    latents: float  # -log2 p(z), or the KL divergence


@dataclass(frozen=True)
class SecondStageResult(Record):
    """Code lengths given an image's own latents and given another image's: equal if latents are unused."""

    latents: int  # per image
    latent_bits: float  # per image
    bits_per_code: float
    shuffled_bits_per_code: float
    gap: float  # bits per code
    gap_standard_error: float  # over images


@dataclass(frozen=True)
class LikelihoodResult(Result):
    """Bounds on the likelihood of held-out images."""

    subject: ClassVar[str] = "likelihood"

    run: str
    prior: str | None  # run of the fitted prior
    kind: str  # of the image model
    images: int
    under: dict[str, ImageBound]  # by prior of the latents
    bits_per_dim: float  # under the fitted prior if there is one, otherwise under the training prior
    samples: int | None = None  # importance samples of VIMCO
    second_stage: SecondStageResult | None = None
