"""Configuration of the image models: one architecture with three kinds of latents.

The defaults are the paper's for CIFAR-10 (van den Oord et al. 2017, section 4.1). "Our choice" marks what the
paper does not specify.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded
from speechvq.config.quantizer import QuantizerConfig
from speechvq.errors import UserError


@dataclass(frozen=True)
class AutoencoderConfig:
    """The encoder, the decoder and the likelihood of a pixel."""

    size: int = bounded(4, 1024, 32)  # H = W, pixels
    num_downsamples: int = bounded(1, 6, 2)  # convolutions of stride 2
    blocks: int = bounded(0, 64, 2)  # residual blocks of a 3x3 and a 1x1 convolution
    channels: int = bounded(1, 4096, 256)
    # Standard deviation of noise added to the encoder's input in training, in pixel levels; our choice. The
    # codes then carry less detail that the decoder cannot render.
    input_noise: float = bounded(0, 255, 0.0)
    # 256 logits per sub-pixel, as in the paper, or a mixture of discretized logistic distributions
    likelihood: Literal["softmax", "logistic"] = "softmax"
    mixtures: int = bounded(1, 64, 5)  # components of the mixture; our choice

    def __post_init__(self) -> None:
        """Check the image size.

        Raises:
            UserError: the size is not divisible by 2**num_downsamples.
        """
        if self.size % 2**self.num_downsamples:
            raise UserError(
                f"autoencoder.size: expected a multiple of {2**self.num_downsamples}, got {self.size}"
            )

    @property
    def grid(self) -> int:
        """Height and width of the grid of latents."""
        return self.size // 2**self.num_downsamples


@dataclass(frozen=True)
class ImageVQConfig:
    """A VQ-VAE of images; its latents are codes, (B, grid, grid, codes_per_position)."""

    kind: Literal["image_vqvae"] = "image_vqvae"
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    quantizer: QuantizerConfig = field(default_factory=lambda: QuantizerConfig(dim=16))  # K and D; our choice
    codes_per_position: int = bounded(1, 256, 10)
    # One codebook for each code of a position, as the authors stated in correspondence, or one for all.
    codebooks: Literal["separate", "shared"] = "separate"


@dataclass(frozen=True)
class ImageVAEConfig:
    """A VAE of images; its latents are Gaussian, (B, grid, grid, latents_per_position)."""

    kind: Literal["image_vae"] = "image_vae"
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    latents_per_position: int = bounded(1, 4096, 10)


@dataclass(frozen=True)
class ImageVimcoConfig:
    """A model with stochastic codes (B, grid, grid, codes_per_position), trained by VIMCO."""

    kind: Literal["image_vimco"] = "image_vimco"
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    num_codes: int = bounded(2, 65_536, 512)  # K; our choice, as for the VQ-VAE
    dim: int = bounded(1, 4096, 16)  # D; our choice, as for the VQ-VAE
    codes_per_position: int = bounded(1, 256, 10)
    samples: int = bounded(1, 4096, 50)


ImageConfig = ImageVQConfig | ImageVAEConfig | ImageVimcoConfig


@dataclass(frozen=True)
class ImageDataConfig:
    """The training data."""

    root: str = ""  # prepared folder, as written by `prepare`
    batch: int = bounded(1, 65_536, 128)  # images per step, over all processes
