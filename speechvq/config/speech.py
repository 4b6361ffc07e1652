"""Settings of the speech model.

Defaults are those of the paper where the paper states them (van den Oord et al. 2017, section 4.3 and
appendix). A field marked "our choice" is not specified there.
"""

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from speechvq.config.bounds import bounded
from speechvq.config.quantizer import QuantizerConfig
from speechvq.errors import UserError

MAX_HOP = 65_536  # samples per code: four seconds
MAX_DILATION = 64  # frames


def _check_dilations(key: str, dilations: tuple[int, ...]) -> None:
    """Refuse a list of dilations that is empty, too long or out of range.

    Raises:
        UserError: names the key.
    """
    if not 1 <= len(dilations) <= 32 or not all(1 <= each <= MAX_DILATION for each in dilations):
        raise UserError(f"{key}: expected 1 to 32 numbers from 1 to {MAX_DILATION}")


@dataclass(frozen=True)
class EncoderConfig:
    """Strided convolutions over the waveform, or over a log-mel spectrogram."""

    # stride of each layer; a layer of stride s has a kernel of 2 s samples, as in the paper. The default is
    # 64 samples per code, 250 codes per second. With mel_bands, the first number is the hop of the
    # spectrogram in samples, and the others are strides over its frames.
    strides: tuple[int, ...] = (2, 2, 2, 2, 2, 2)
    # channels of each layer (our choice)
    channels: int = bounded(1, 8192, 128)
    # residual blocks at the code rate; the paper has none
    residual_blocks: int = bounded(0, 64, 0)
    # dilation of each residual block, in codes; repeated cyclically where there are more blocks
    dilations: tuple[int, ...] = (1,)
    # bands of a log-mel spectrogram as input; 0 for the waveform, as in the paper
    mel_bands: int = bounded(0, 128, 0)
    # later code frames that the residual blocks and the delta cepstrum see; -1 for as many as earlier ones
    lookahead_frames: int = bounded(-1, 4096, -1)
    # strength of the vocal tract length perturbation in training, see `mel_frontend.vtlp_augment`
    augment_strength: float = bounded(0, 1, 0.0)

    def __post_init__(self) -> None:
        """
        Raises:
            UserError: a stride out of range, too many samples per code, or augmentation without mel bands.
        """
        convolved = self.strides[1:] if self.mel_bands else self.strides
        if not all(1 <= s <= 64 for s in convolved) or math.prod(self.strides[:32]) > MAX_HOP:
            raise UserError(f"encoder.strides: expected strides from 1 to 64 of product {MAX_HOP} at most")
        hop = self.strides[0] if self.strides else 0
        if self.mel_bands and not (16 <= hop <= 400 and hop % 2 == 0):
            raise UserError(
                "encoder.strides: with encoder.mel_bands, expected an even first number from 16 to 400"
            )
        if self.augment_strength and not self.mel_bands:
            raise UserError("encoder.augment_strength: needs encoder.mel_bands over 0")
        if len(self.strides) > 32:
            raise UserError("encoder.strides: expected at most 32 layers")
        _check_dilations("encoder.dilations", self.dilations)


@dataclass(frozen=True)
class WaveNetConfig:
    """Dilated gated convolutions over samples (van den Oord et al. 2016); all sizes are our choice."""

    # a stack has one layer for each of the dilations 1, 2, 4, ..., 2^(layers - 1)
    stacks: int = bounded(1, 32, 2)
    layers: int = bounded(1, 14, 10)
    # channels between the layers
    residual_channels: int = bounded(1, 4096, 64)
    # channels of the sum of the skip outputs
    skip_channels: int = bounded(1, 4096, 128)
    # channels between the skip sum and the logits
    hidden_channels: int = bounded(1, 4096, 256)
    # channels of the network over codes and speaker
    conditioning_channels: int = bounded(1, 4096, 128)
    # width of the speaker embedding
    speaker_dim: int = bounded(1, 4096, 32)
    # mu-law classes
    mulaw_bins: int = bounded(2, 65_536, 256)
    # F0 as a further condition (Polyak et al. 2021); the paper has none
    condition_on_f0: bool = False
    # phase of the glottal cycle as a further condition (after Wang et al. 2019, NSF); the paper has none
    condition_on_phase: bool = False

    SIZES: ClassVar[dict[str, "WaveNetConfig"]] = {}  # settings that a name stands for

    def __post_init__(self) -> None:
        """
        Raises:
            UserError: a phase condition without an F0 condition.
        """
        if self.condition_on_phase and not self.condition_on_f0:
            raise UserError("wavenet.condition_on_phase: needs wavenet.condition_on_f0=true")


WAVENET_SIZES = WaveNetConfig.SIZES
WAVENET_SIZES["S"] = WaveNetConfig()
WAVENET_SIZES["M"] = WaveNetConfig(stacks=3, residual_channels=128, skip_channels=256)


@dataclass(frozen=True)
class SourceFilterConfig:
    """Harmonics and an all-pole filter below the WaveNet, see `speech.source_filter`; the paper has none."""

    # order of the filter; 0 for no source-filter model: the WaveNet then models the waveform
    filter_order: int = bounded(0, 64, 0)
    # harmonics of F0; 0 for a filter without harmonics
    num_harmonics: int = bounded(0, 64, 0)
    # bands of the log-mel spectra that the model predicts
    mel_bands: int = bounded(8, 128, 40)
    # channels and layers of the two networks that predict spectra and harmonics
    channels: int = bounded(1, 4096, 192)
    depth: int = bounded(1, 32, 3)
    # dilation of each of these layers, in frames; repeated cyclically where there are more layers
    dilations: tuple[int, ...] = (1,)
    # later spectra that the networks see; -1 for as many as earlier ones
    lookahead_frames: int = bounded(-1, 4096, -1)
    # steps and crops per step of the pre-training, before the decoder trains
    pretrain_steps: int = bounded(1, 10**7, 3_000)
    pretrain_batch: int = bounded(1, 65_536, 8)
    # whether the pre-training also trains the encoder and the codebook
    pretrain_encoder: bool = True
    # step of the pre-training from which the encoder learns. Before it the decoder learns to use the codes of
    # k-means; else nothing but the commitment loss moves a wide encoder, and all vectors gather at few codes
    pretrain_encoder_from: int = bounded(0, 10**7, 0)

    def __post_init__(self) -> None:
        """
        Raises:
            UserError: harmonics without a filter.
        """
        if self.num_harmonics and not self.filter_order:
            raise UserError("source_filter.num_harmonics: needs source_filter.filter_order over 0")
        if self.pretrain_encoder_from >= self.pretrain_steps:
            raise UserError("source_filter.pretrain_encoder_from: expected fewer steps than pretrain_steps")
        _check_dilations("source_filter.dilations", self.dilations)


@dataclass(frozen=True)
class MaskedPredictionConfig:
    """Pre-training of the encoder by masked prediction (Hsu et al. 2021, HuBERT); the paper has none."""

    # steps of the pre-training, before the codebook is initialized; 0 for none
    steps: int = bounded(0, 10**7, 0)
    # crops per step, summed over all processes
    batch: int = bounded(1, 65_536, 16)
    # number of units, the clusters of cepstra that the encoder predicts
    num_units: int = bounded(2, 65_536, 256)
    # fraction of the code frames in masked spans; overlaps of spans make it a little smaller
    mask_fraction: float = bounded(0, 1, 0.4)
    # length of a masked span, in code frames
    mask_frames: int = bounded(1, 4096, 5)


@dataclass(frozen=True)
class VocoderConfig:
    """A decoder of one pass in place of the WaveNet, see `speech.vocoder`; the paper has none. Our sizes."""

    # channels between the layers; 0 for no vocoder: a WaveNet generates the waveform
    channels: int = bounded(0, 4096, 0)
    # channels within a layer
    hidden_channels: int = bounded(1, 16_384, 768)
    layers: int = bounded(1, 32, 8)
    # later frames of 10 ms that the layers see; the STFT frames overlap a further 22 ms
    lookahead_frames: int = bounded(0, 32, 2)
    # channels of the discriminators of spectrograms
    discriminator_channels: int = bounded(1, 1024, 16)
    # steps of the pre-training by the spectral distance alone, before the adversarial training
    pretrain_steps: int = bounded(1, 10**7, 300)
    # weight of the spectral distance beside the adversarial losses
    mel_weight: float = bounded(0, 1000, 15.0)

    def __post_init__(self) -> None:
        """
        Raises:
            UserError: more look-ahead than the layers can have.
        """
        if self.lookahead_frames > self.layers:
            raise UserError("vocoder.lookahead_frames: expected at most one frame per layer")


@dataclass(frozen=True)
class SpeechConfig:
    """The speech model: encoder, vector quantizer and decoder."""

    kind: Literal["speech"] = "speech"
    # Hz; recordings at other rates are resampled
    sample_rate: int = bounded(16_000, 16_000, 16_000)
    # coefficient of the pre-emphasis before mu-law quantization; 0 for none (our choice)
    preemphasis: float = bounded(0, 0.99, 0.85)
    # probability that a code frame is replaced by a neighbor in training (Chorowski et al. 2019)
    jitter: float = bounded(0, 1, 0.0)
    # largest standard deviation, in mu-law classes, of noise on the decoder's past samples in training (our
    # choice, after Valin and Skoglund 2019)
    input_noise: float = bounded(0, 128, 0.0)
    # samples of each crop that the decoder's loss is computed on; 0 for all. The encoder sees the whole crop
    # (our choice)
    decoder_segment_length: int = bounded(0, 1 << 24, 0)
    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    quantizer: QuantizerConfig = field(default_factory=QuantizerConfig)
    wavenet: WaveNetConfig = field(default_factory=WaveNetConfig)
    masked_prediction: MaskedPredictionConfig = field(default_factory=MaskedPredictionConfig)
    source_filter: SourceFilterConfig = field(default_factory=SourceFilterConfig)
    vocoder: VocoderConfig = field(default_factory=VocoderConfig)

    def __post_init__(self) -> None:
        """
        Raises:
            UserError: masked prediction without mel bands, harmonics without a phase condition, or a vocoder
                without harmonics or at a hop that is no multiple of 160.
        """
        if self.masked_prediction.steps and not self.encoder.mel_bands:
            raise UserError("masked_prediction.steps: needs encoder.mel_bands over 0")
        if self.source_filter.num_harmonics and not self.wavenet.condition_on_phase:
            raise UserError(
                "source_filter.num_harmonics: needs wavenet.condition_on_f0=true and "
                "wavenet.condition_on_phase=true"
            )
        if self.vocoder.channels and (not self.source_filter.num_harmonics or self.hop % 160):
            raise UserError(
                "vocoder.channels: needs source_filter.num_harmonics over 0 and a hop that is a multiple of "
                f"160 samples, not {self.hop}"
            )

    @property
    def hop(self) -> int:
        """Samples per code."""
        return math.prod(self.encoder.strides)

    @property
    def frame_rate(self) -> float:
        """Codes per second, Hz."""
        return self.sample_rate / self.hop


@dataclass(frozen=True)
class SpeechDataConfig:
    """Training data of the speech model."""

    # directory with manifest.tsv, as `speechvq.prepare` writes it
    manifest: str = ""
    # samples per crop, a multiple of the hop
    crop: int = bounded(1, 1 << 24, 6_400)
    # crops per step, summed over all processes
    batch: int = bounded(1, 65_536, 2)
    # processes that read audio
    workers: int = bounded(0, 256, 0)
