"""Settings of priors over grids of codes, of the paper's second stage, and of the codes that both learn from.

The paper names the PixelCNN and leaves its sizes open (van den Oord et al. 2017, section 4.2); all sizes are
our choice.
"""

from dataclasses import dataclass, field
from typing import Literal

from speechvq.config.bounds import bounded
from speechvq.config.quantizer import QuantizerConfig


@dataclass(frozen=True)
class PixelCNNConfig:
    """Gated convolutions over what is above and to the left (van den Oord et al. 2016b)."""

    kind: Literal["pixelcnn"] = "pixelcnn"
    layers: int = bounded(1, 64, 12)
    channels: int = bounded(1, 4096, 128)
    kernel_radius: int = bounded(1, 16, 2)  # positions a layer looks up and to the left; 2 makes windows 5x5
    hidden_channels: int = bounded(1, 8192, 256)  # units between the last layer and the logits
    class_conditional: bool = False  # whether the prior is told a picture's class


@dataclass(frozen=True)
class SecondStageConfig:
    """A VQ-VAE over grids of codes with a PixelCNN decoder; its latents know no place (section 4.2)."""

    kind: Literal["second_stage"] = "second_stage"
    latents: int = bounded(1, 256, 3)  # each with a codebook of its own: 3 of 512 make the paper's 27 bits
    channels: int = bounded(1, 4096, 128)  # of the encoder
    quantizer: QuantizerConfig = field(default_factory=lambda: QuantizerConfig(num_codes=512, dim=16))
    pixelcnn: PixelCNNConfig = field(default_factory=PixelCNNConfig)


@dataclass(frozen=True)
class GridDataConfig:
    """Whose codes of which pictures are read."""

    model: str = ""  # run or model directory of an image model
    root: str = ""  # prepared pictures; none: those the model's run was trained on
    batch: int = bounded(1, 65_536, 64)  # grids a step, over all processes
