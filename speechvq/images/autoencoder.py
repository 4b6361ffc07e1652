"""The paper's encoder and decoder of pictures (van den Oord et al. 2017, section 4.1)."""

import torch
from torch import Tensor, nn

from speechvq.config.images import AutoencoderConfig
from speechvq.images.likelihood import COLORS, VALUES, build_likelihood


class ResidualBlock(nn.Module):
    """ReLU, convolution 3x3, ReLU, convolution 1x1, and round them."""

    def __init__(self, units: int) -> None:
        super().__init__()
        self.wide, self.narrow = nn.Conv2d(units, units, 3, padding=1), nn.Conv2d(units, units, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to the same."""
        return x + self.narrow(self.wide(x.relu()).relu())


class Encoder(nn.Module):
    """Pictures to a vector a position: convolutions 4x4 of stride 2, residual blocks, and a projection.

    Each position's outputs may be given a shape of their own, `shape`: (10, 16) makes ten vectors of width
    16. In training it sees noisy pictures, if the settings say so.
    """

    def __init__(self, config: AutoencoderConfig, shape: tuple[int, ...]) -> None:
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
        """(B, 3, H, W), 0 to 255, to (B, grid, grid, *shape)."""
        x = pixels.to(self.project.weight.dtype)
        if self.training and self.input_noise:
            x = x + self.input_noise * torch.randn_like(x)
        x = x.mul(2 / (VALUES - 1)).sub(1).contiguous(memory_format=torch.channels_last)
        for i, layer in enumerate(self.down):
            x = layer(x.relu() if i else x)
        x = self.project(self.blocks(x).relu())
        return x.permute(0, 2, 3, 1).unflatten(-1, self.shape)


class Decoder(nn.Module):
    """A vector a position to a distribution of pictures: the encoder's layers mirrored, and the likelihood.

    The last transposed convolution makes the likelihood's outputs itself. The first convolution is 3x3, as in
    the authors' published code (Sonnet); the paper does not name it.
    """

    def __init__(self, config: AutoencoderConfig, width: int) -> None:
        super().__init__()
        self.likelihood = build_likelihood(config)
        widths = [*[config.channels] * config.num_downsamples, self.likelihood.channels]
        self.enter = nn.Conv2d(width, config.channels, 3, padding=1)
        self.blocks = nn.Sequential(*[ResidualBlock(config.channels) for _ in range(config.blocks)])
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(before, after, 4, stride=2, padding=1)
            for before, after in zip(widths, widths[1:])
        )
        self.to(memory_format=torch.channels_last)

    def forward(self, vectors: Tensor) -> Tensor:
        """(B, grid, grid, ...) to the likelihood's outputs, (B, C, H, W)."""
        x = self.blocks(self.enter(vectors.flatten(3).permute(0, 3, 1, 2)))
        for layer in self.up:
            x = layer(x.relu())
        return x

    def nll_per_image(self, pixels: Tensor, vectors: Tensor) -> Tensor:
        """-log p(pixels | vectors), nats a picture: (B, 3, H, W) uint8 and (B, grid, grid, ...) to (B,)."""
        return self.likelihood.nll(self(vectors), pixels)

    def nll(self, pixels: Tensor, vectors: Tensor) -> Tensor:
        """-log p(pixels | vectors), nats a dimension, (): what a VQVAE asks of its decoder."""
        return self.nll_per_image(pixels, vectors).mean() / pixels[0].numel()

    def mean_image(self, vectors: Tensor) -> Tensor:
        """The mean picture: (B, grid, grid, ...) to (B, 3, H, W), uint8."""
        return self.likelihood.mean_image(self(vectors)).round().clamp(0, VALUES - 1).to(torch.uint8)


def compile_parts(
    encoder: Encoder, decoder: Decoder, *, varying: bool = False, backend: str = "inductor"
) -> None:
    """Let torch.compile fuse what lies between the products of both parts, the likelihood included; in place.

    The quantiser between them stays as it is: it decides by values, which a compiled graph cannot. Weights keep
    their places and names, so checkpoints go from one way to the other. The first steps take a minute.

    Args:
        encoder, decoder: of one model, on their device.
        varying: the decoder is given another number of pictures each time, so one graph must serve all.
        backend: of torch.compile; "eager" traces alike and needs no compiler.
    """
    encoder.compile(backend=backend, fullgraph=True)
    decoder.nll_per_image = torch.compile(  # type: ignore[method-assign]
        decoder.nll_per_image, backend=backend, fullgraph=True, dynamic=True if varying else None
    )
