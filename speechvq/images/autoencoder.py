"""The paper's image encoder and decoder (van den Oord et al. 2017, section 4.1)."""

import torch
from torch import Tensor, nn

from speechvq.config.images import AutoencoderConfig
from speechvq.images.likelihood import COLORS, VALUES, build_likelihood


class ResidualBlock(nn.Module):
    """x + conv1x1(ReLU(conv3x3(ReLU(x))))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv3, self.conv1 = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C, H, W)."""
        return x + self.conv1(self.conv3(x.relu()).relu())


class Encoder(nn.Module):
    """Maps images to a grid of vectors: 4x4 convolutions of stride 2, residual blocks and a projection."""

    def __init__(self, config: AutoencoderConfig, shape: tuple[int, ...]) -> None:
        """
        Args:
            config: sizes; `input_noise` is added to the images in training mode.
            shape: of the outputs at each position; (10, 16) gives ten vectors of width 16.
        """
        super().__init__()
        self.shape, self.input_noise = shape, config.input_noise
        widths = [COLORS, *[config.channels] * config.num_downsamples]
        self.down = nn.ModuleList(
            nn.Conv2d(before, after, 4, stride=2, padding=1) for before, after in zip(widths, widths[1:])
        )
        self.blocks = nn.Sequential(*[ResidualBlock(config.channels) for _ in range(config.blocks)])
        self.project = nn.Conv2d(config.channels, torch.Size(shape).numel(), 1)
        self.to(memory_format=torch.channels_last)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W), uint8 or float in [0, 255], to (B, grid, grid, *shape)."""
        x = pixels.to(self.project.weight.dtype)
        if self.training and self.input_noise:
            x = x + self.input_noise * torch.randn_like(x)
        x = x.mul(2 / (VALUES - 1)).sub(1).contiguous(memory_format=torch.channels_last)
        for i, layer in enumerate(self.down):
            x = layer(x.relu() if i else x)
        x = self.project(self.blocks(x).relu())
        return x.permute(0, 2, 3, 1).unflatten(-1, self.shape)


class Decoder(nn.Module):
    """Maps a grid of vectors to a distribution of images: the encoder mirrored, and a likelihood.

    The last transposed convolution gives the likelihood's outputs. The first convolution is 3x3, as in the
    authors' published code (Sonnet); the paper does not specify it.
    """

    def __init__(self, config: AutoencoderConfig, dim: int) -> None:
        """
        Args:
            config: sizes and the likelihood.
            dim: values per position of the grid.
        """
        super().__init__()
        self.likelihood = build_likelihood(config)
        widths = [*[config.channels] * config.num_downsamples, self.likelihood.channels]
        self.conv_in = nn.Conv2d(dim, config.channels, 3, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlock(config.channels) for _ in range(config.blocks)])
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            for before, after in zip(widths, widths[1:])
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, grid, grid, ...) to the likelihood's outputs, (B, C, H, W)."""
        x = self.blocks(self.conv_in(vectors.flatten(3).permute(0, 3, 1, 2)))
        for layer in self.up:
            x = layer(x.relu())
        return x

    def nll_per_image(self, pixels: Tensor, vectors: Tensor) -> Tensor:
        """Negative log-likelihood in nats per image.

        Args:
            pixels: (B, 3, H, W), uint8.
            vectors: (B, grid, grid, ...).

        Returns:
            (B,).
        """
        return self.likelihood.nll(self(vectors), pixels)

    def nll(self, pixels: Tensor, vectors: Tensor) -> Tensor:
        """Mean negative log-likelihood in nats per sub-pixel, (); arguments as of `nll_per_image`."""
        return self.nll_per_image(pixels, vectors).mean() / pixels[0].numel()

    def mean_image(self, vectors: Tensor) -> Tensor:
        """The mean image: (B, grid, grid, ...) to (B, 3, H, W), uint8."""
        return self.likelihood.mean_image(self(vectors)).round().clamp(0, VALUES - 1).to(torch.uint8)


def compile_parts(
    encoder: Encoder, decoder: Decoder, *, dynamic: bool = False, backend: str = "inductor"
) -> None:
    """Compile encoder, decoder and likelihood with torch.compile, in place.

    The quantizer between them is not compiled, because its control flow depends on values. Parameter names do
    not change, so checkpoints are interchangeable. Compilation takes about a minute, in the first steps.

    Args:
        encoder: on its device.
        decoder: of the same model.
        dynamic: compile the decoder for a varying batch size.
        backend: of torch.compile; "eager" traces alike and needs no compiler.
    """
    encoder.compile(backend=backend, fullgraph=True)
    decoder.nll_per_image = torch.compile(  # type: ignore[method-assign]
        decoder.nll_per_image, backend=backend, fullgraph=True, dynamic=True if dynamic else None
    )
