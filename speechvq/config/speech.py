"""Settings of the speech model.

The defaults are the paper's where the paper states them (van den Oord et al. 2017, section 4.3 and appendix); a
field whose comment says "our choice" is left open there.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from speechvq.config.bounds import within
from speechvq.config.quantizer import QuantizerConfig
from speechvq.errors import UserError

MAX_HOP = 65_536  # samples a code: four seconds


@dataclass(frozen=True)
class EncoderConfig:
    """Strided convolutions over the waveform; stride s has a window of 2 s samples, as in the paper."""

    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)  # 64x: 250 codes a second
    channels: int = within(1, 8192, 128)  # our choice
    blocks: int = within(0, 64, 0)  # residual blocks at the code rate; the paper has none

    def __post_init__(self) -> None:
        """Raises UserError for strides that are no strides, or whose product no sound is long enough for."""
        if not all(1 <= s <= 64 for s in self.strides) or math.prod(self.strides[:32]) > MAX_HOP:
            raise UserError(f"encoder.strides: expected strides from 1 to 64 of product {MAX_HOP} at most")
        if len(self.strides) > 32:
            raise UserError("encoder.strides: expected at most 32 layers")


@dataclass(frozen=True)
class WaveNetConfig:
    """Dilated gated convolutions over samples (van den Oord et al. 2016); all sizes are our choice."""

    stacks: int = within(1, 32, 2)
    layers: int = within(1, 14, 10)  # a stack has dilations 1, 2, 4 ... 2^(layers - 1)
    residual: int = within(1, 4096, 64)
    skip: int = within(1, 4096, 128)
    hidden: int = within(1, 4096, 256)  # units between the skip sum and the logits
    condition: int = within(1, 4096, 128)  # units of the network over the codes and the speaker
    speaker: int = within(1, 4096, 32)  # width of a speaker's vector
    levels: int = within(2, 65_536, 256)  # mu-law levels
    pitch: bool = False  # a pitch contour as a further condition (Polyak et al. 2021); the paper has none
    short_taps: int = within(0, 64, 0)  # samples that a linear first guess is made from; the paper has none
    long_taps: int = within(0, 15, 0)  # samples around one pitch period ago in that guess

    SIZES: ClassVar[dict[str, "WaveNetConfig"]] = {}  # by name, instead of settings

    def __post_init__(self) -> None:
        """Raises UserError for long taps without what they need."""
        if self.long_taps and not (self.pitch and self.short_taps):
            raise UserError("wavenet.long_taps: need wavenet.pitch=true and wavenet.short_taps over 0")


WAVENET_SIZES = WaveNetConfig.SIZES
WAVENET_SIZES["S"] = WaveNetConfig()
WAVENET_SIZES["M"] = WaveNetConfig(stacks=3, residual=128, skip=256)


@dataclass(frozen=True)
class SpeechConfig:
    """The speech model: waveform, codes, waveform."""

    kind: Literal["speech"] = "speech"
    sample_rate: int = within(16_000, 16_000, 16_000)  # Hz; sound of any other rate is resampled
    # our choice: coefficient of the pre-emphasis before mu-law; 0 for none
    emphasis: float = within(0, 0.99, 0.85)
    # share of code frames replaced by a neighbour in training (Chorowski et al. 2019)
    jitter: float = within(0, 1, 0.0)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    wavenet: WaveNetConfig = field(default_factory=WaveNetConfig)

    @property
    def hop(self) -> int:
        """Samples a code."""
        return math.prod(self.encoder.strides)

    @property
    def frame_rate(self) -> float:
        """Codes a second, Hz."""
        return self.sample_rate / self.hop


@dataclass(frozen=True)
class SpeechDataConfig:
    """What is read and how it is cut."""

    manifest: str = ""
    crop: int = within(1, 1 << 24, 6_400)  # samples; a multiple of the hop
    batch: int = within(1, 65_536, 2)  # crops a step, over all processes
    workers: int = within(0, 256, 0)  # reading processes
