"""Result of `evaluate compression`."""

from dataclasses import dataclass
from typing import ClassVar

from speechvq.results.result import Record, Result


@dataclass(frozen=True)
class CodedQuality(Record):
    """Size and quality of images after one way of coding; means over images."""

    bits: float  # per image
    ratio: float  # bits of the pixels, 24 each, over these bits
    psnr: float  # dB, over all images together
    ssim: float  # NaN for images smaller than its window of 11 pixels
    over: int  # images whose file exceeds the bits allowed, at the lowest quality


@dataclass(frozen=True)
class CompressionResult(Result):
    """Learned codes beside JPEG and WebP at the same number of bits; bits per code by model of the codes."""

    subject: ClassVar[str] = "compression"

    run: str
    prior: str | None  # run of the fitted prior
    images: int
    size: int  # H = W, pixels
    codes: int  # per image
    coded: dict[str, CodedQuality]  # by way of coding
    bits_per_code: dict[str, float]  # of held-out images, by model of the codes
