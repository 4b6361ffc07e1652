"""Configuration of priors over grids of codes and of the second stage.

The paper does not specify the sizes of the PixelCNN (van den Oord et al. 2017, section 4.2); all are our
choice.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded
from speechvq.config.quantizer import QuantizerConfig


@dataclass(frozen=True)
class PixelCNNConfig:
    """A gated PixelCNN (van den Oord et al. 2016b)."""

    kind: Literal["pixelcnn"] = "pixelcnn"
    layers: int = bounded(1, 64, 12)
    channels: int = bounded(1, 4096, 128)
    kernel_radius: int = bounded(1, 16, 2)  # positions; 2 gives the causal half of a 5x5 kernel
    hidden_channels: int = bounded(1, 8192, 256)  # of the output layer
    class_conditional: bool = False  # condition the prior on the image's class


@dataclass(frozen=True)
class SecondStageConfig:
    """A VQ-VAE over grids of codes with a PixelCNN decoder and latents without positions (section 4.2)."""

    kind: Literal["second_stage"] = "second_stage"
    latents: int = bounded(1, 256, 3)  # with a codebook each; 3 latents of 512 codes are the paper's 27 bits
    channels: int = bounded(1, 4096, 128)  # of the encoder
    quantizer: QuantizerConfig = field(default_factory=lambda: QuantizerConfig(num_codes=512, dim=16))
    pixelcnn: PixelCNNConfig = field(default_factory=PixelCNNConfig)


@dataclass(frozen=True)
class GridDataConfig:
    """The training data."""

    model: str = ""  # run or model directory of an image model
    root: str = ""  # prepared folder; "" for the images that the model was trained on
    batch: int = bounded(1, 65_536, 64)  # grids per step, over all processes
