"""Settings of the speech model.

The defaults are the paper's where the paper states them (van den Oord et al. 2017, section 4.3 and appendix); a
field whose comment says "our choice" is left open there.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from speechvq.config.bounds import bounded
from speechvq.config.quantizer import QuantizerConfig
from speechvq.errors import UserError

MAX_HOP = 65_536  # samples a code: four seconds


@dataclass(frozen=True)
class EncoderConfig:
    """Strided convolutions over the waveform; stride s has a window of 2 s samples, as in the paper.

    With mel bands the first stride is the distance between spectra, in samples, and the others are over these.
    """

    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)  # 64x: 250 codes a second
    channels: int = bounded(1, 8192, 128)  # our choice
    residual_blocks: int = bounded(0, 64, 0)  # residual blocks at the code rate; the paper has none
    mel_bands: int = bounded(
        0, 128, 0
    )  # bands of a log-mel spectrogram to read; 0 for the waveform, as the paper does
    augment_strength: float = bounded(
        0, 1, 0.0
    )  # how far training alters the spectra's voice, see `spectrum.disguise`

    def __post_init__(self) -> None:
        """Raises UserError for strides that are no strides, or whose product no sound is long enough for."""
        convolved = self.strides[1:] if self.mel_bands else self.strides
        if not all(1 <= s <= 64 for s in convolved) or math.prod(self.strides[:32]) > MAX_HOP:
            raise UserError(f"encoder.strides: expected strides from 1 to 64 of product {MAX_HOP} at most")
        if self.mel_bands and not (
            self.strides and 16 <= self.strides[0] <= 400 and self.strides[0] % 2 == 0
        ):
            raise UserError(
                "encoder.strides: with encoder.mel_bands the first is an even number of samples from 16 to 400"
            )
        if self.augment_strength and not self.mel_bands:
            raise UserError("encoder.augment_strength: needs encoder.mel_bands")
        if len(self.strides) > 32:
            raise UserError("encoder.strides: expected at most 32 layers")


@dataclass(frozen=True)
class WaveNetConfig:
    """Dilated gated convolutions over samples (van den Oord et al. 2016); all sizes are our choice."""

    stacks: int = bounded(1, 32, 2)
    layers: int = bounded(1, 14, 10)  # a stack has dilations 1, 2, 4 ... 2^(layers - 1)
    residual_channels: int = bounded(1, 4096, 64)
    skip_channels: int = bounded(1, 4096, 128)
    hidden_channels: int = bounded(1, 4096, 256)  # units between the skip sum and the logits
    conditioning_channels: int = bounded(1, 4096, 128)  # units of the network over the codes and the speaker
    speaker_dim: int = bounded(1, 4096, 32)  # width of a speaker's vector
    mulaw_bins: int = bounded(2, 65_536, 256)  # mu-law levels
    condition_on_f0: bool = (
        False  # a pitch contour as a further condition (Polyak et al. 2021); the paper has none
    )
    condition_on_phase: bool = (
        False  # and where in its cycle the voice is (after Wang et al. 2019, NSF); the paper has none
    )

    SIZES: ClassVar[dict[str, "WaveNetConfig"]] = {}  # by name, instead of settings

    def __post_init__(self) -> None:
        """Raises UserError for a phase without what it needs."""
        if self.condition_on_phase and not self.condition_on_f0:
            raise UserError("wavenet.condition_on_phase: needs wavenet.condition_on_f0=true")


WAVENET_SIZES = WaveNetConfig.SIZES
WAVENET_SIZES["S"] = WaveNetConfig()
WAVENET_SIZES["M"] = WaveNetConfig(stacks=3, residual_channels=128, skip_channels=256)


@dataclass(frozen=True)
class SourceFilterConfig:
    """Harmonics and a filter that the codes tell, below the WaveNet, see `speech.source_filter`; the paper has none."""

    filter_order: int = bounded(
        0, 64, 0
    )  # of the filter; 0 for none of all this: the WaveNet speaks the waveform itself
    num_harmonics: int = bounded(0, 64, 0)  # of the voice; 0 for a filter alone
    mel_bands: int = bounded(8, 128, 40)  # of the log-mel spectra that both follow from
    channels: int = bounded(1, 4096, 192)  # of the networks that tell both
    depth: int = bounded(1, 32, 3)  # layers of these
    pretrain_steps: int = bounded(1, 10**7, 3_000)  # in which they learn alone, before the WaveNet does
    pretrain_batch: int = bounded(1, 65_536, 8)  # crops in each of those steps
    pretrain_encoder: bool = True  # whether the encoder learns in them too

    def __post_init__(self) -> None:
        """Raises UserError for harmonics without a filter."""
        if self.num_harmonics and not self.filter_order:
            raise UserError("source_filter.num_harmonics: needs source_filter.filter_order over 0")


@dataclass(frozen=True)
class SpeechConfig:
    """The speech model: waveform, codes, waveform."""

    kind: Literal["speech"] = "speech"
    sample_rate: int = bounded(16_000, 16_000, 16_000)  # Hz; sound of any other rate is resampled
    # our choice: coefficient of the pre-emphasis before mu-law; 0 for none
    preemphasis: float = bounded(0, 0.99, 0.85)
    # share of code frames replaced by a neighbour in training (Chorowski et al. 2019)
    jitter: float = bounded(0, 1, 0.0)
    # our choice: levels, the largest deviation of the noise on the past that the decoder hears in training
    input_noise: float = bounded(0, 128, 0.0)
    # our choice: samples of a crop that the WaveNet learns from in a step; 0 for all. The encoder hears all of it
    decoder_segment_length: int = bounded(0, 1 << 24, 0)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    wavenet: WaveNetConfig = field(default_factory=WaveNetConfig)
    source_filter: SourceFilterConfig = field(default_factory=SourceFilterConfig)

    def __post_init__(self) -> None:
        """Raises UserError for harmonics of an unknown voice."""
        if self.source_filter.num_harmonics and not self.wavenet.condition_on_phase:
            raise UserError(
                "source_filter.num_harmonics: needs wavenet.condition_on_f0=true and wavenet.condition_on_phase=true"
            )

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
    crop: int = bounded(1, 1 << 24, 6_400)  # samples; a multiple of the hop
    batch: int = bounded(1, 65_536, 2)  # crops a step, over all processes
    workers: int = bounded(0, 256, 0)  # reading processes
