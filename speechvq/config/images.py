"""Settings of the image models: one architecture and three bottlenecks.

The defaults are the paper's for CIFAR-10 (van den Oord et al. 2017, section 4.1); a field whose comment says
"our choice" is left open there.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded
from speechvq.config.quantizer import QuantizerConfig
from speechvq.errors import UserError


@dataclass(frozen=True)
class AutoencoderConfig:
    """Strided convolutions 4x4 and residual blocks, the decoder mirrored, and what it says of a pixel."""

    size: int = bounded(4, 1024, 32)  # H = W, pixels
    num_downsamples: int = bounded(1, 6, 2)  # convolutions of stride 2
    blocks: int = bounded(0, 64, 2)  # ReLU, 3x3, ReLU, 1x1, and round them
    channels: int = bounded(1, 4096, 256)
    # standard deviation of what is added to the pictures that the encoder sees while it learns, levels of a
    # pixel; our choice: codes then tell less of what the decoder cannot show
    input_noise: float = bounded(0, 255, 0.0)
    # 256 logits a sub-pixel, as the authors had it, or a mixture of discretised logistic distributions
    likelihood: Literal["softmax", "logistic"] = "softmax"
    mixtures: int = bounded(1, 64, 5)  # components of the latter, our choice

    def __post_init__(self) -> None:
        """Raises UserError for a size that cannot be halved so often."""
        if self.size % 2**self.num_downsamples:
            raise UserError(
                f"autoencoder.size: expected a multiple of {2**self.num_downsamples}, got {self.size}"
            )

    @property
    def grid(self) -> int:
        """Positions of latents along a side."""
        return self.size // 2**self.num_downsamples


@dataclass(frozen=True)
class ImageVQConfig:
    """A VQ-VAE of images; its latents are codes, (B, grid, grid, per_position)."""

    kind: Literal["image_vqvae"] = "image_vqvae"
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    quantizer: QuantizerConfig = field(default_factory=lambda: QuantizerConfig(dim=16))  # K and D, our choice
    codes_per_position: int = bounded(1, 256, 10)
    # a codebook for each of them, as the authors said in an answer, or the same one for all
    codebooks: Literal["separate", "shared"] = "separate"


@dataclass(frozen=True)
class ImageVAEConfig:
    """A VAE of images; its latents are Gaussian, (B, grid, grid, per_position)."""

    kind: Literal["image_vae"] = "image_vae"
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    latents_per_position: int = bounded(1, 4096, 10)


@dataclass(frozen=True)
class ImageVimcoConfig:
    """A model of images with drawn codes, (B, grid, grid, per_position), learnt by VIMCO."""

    kind: Literal["image_vimco"] = "image_vimco"
    autoencoder: AutoencoderConfig = field(default_factory=AutoencoderConfig)
    num_codes: int = bounded(2, 65_536, 512)  # K, our choice: as the VQ-VAE's
    dim: int = bounded(1, 4096, 16)  # D, our choice: as the VQ-VAE's
    codes_per_position: int = bounded(1, 256, 10)
    samples: int = bounded(1, 4096, 50)


ImageConfig = ImageVQConfig | ImageVAEConfig | ImageVimcoConfig


@dataclass(frozen=True)
class ImageDataConfig:
    """What is read: a folder that `prepare` made."""

    root: str = ""
    batch: int = bounded(1, 65_536, 128)  # images a step, over all processes
