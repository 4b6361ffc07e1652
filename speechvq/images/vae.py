"""The Gaussian VAE of images (Kingma and Welling 2014), with the VQ-VAE's encoder and decoder."""

import torch
from torch import Tensor, nn

from speechvq.config.images import ImageVAEConfig
from speechvq.errors import UserError
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.elbo import CodePrior, ElboLosses, ElboTerms


class ImageVAE(nn.Module):
    """A VAE with diagonal Gaussian q(z | x) and standard normal p(z); latents are (B, grid, grid, G)."""

    def __init__(self, config: ImageVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.autoencoder, (2, config.latents_per_position))
        self.decoder = Decoder(config.autoencoder, config.latents_per_position)

    def forward(self, pixels: Tensor) -> ElboLosses:
        """The negative evidence lower bound of a batch (B, 3, H, W) uint8, nats per sub-pixel."""
        total, reconstruction, latents = (part.mean() / pixels[0].numel() for part in self.elbo(pixels))
        return ElboLosses(total, total.detach(), reconstruction.detach(), latents.detach())

    def posterior(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), (B, grid, grid, G) each."""
        mean, log_variance = self.encoder(pixels).float().unbind(-2)
        return mean, log_variance

    def elbo(self, pixels: Tensor, prior: CodePrior | None = None) -> ElboTerms:
        """The bound from one sample z of q(z | x), and KL(q(z | x) | N(0, 1)) in closed form.

        Args:
            pixels: (B, 3, H, W), uint8.
            prior: must be None.

        Raises:
            UserError: a prior of codes was given; a VAE has no codes.
        """
        if prior is not None:
            raise UserError("a VAE has no codes, so it takes no prior of codes; leave --prior out")
        mean, log_variance = self.posterior(pixels)
        latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        reconstruction = self.decoder.nll_per_image(pixels, latents)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)
        return ElboTerms(reconstruction + divergence, reconstruction, divergence)

    def encode(self, pixels: Tensor) -> Tensor:
        """The mean of q(z | x): (B, 3, H, W) uint8 to latents (B, grid, grid, G)."""
        return self.posterior(pixels)[0]

    def decode(self, latents: Tensor) -> Tensor:
        """The mean image of p(x | z): (B, grid, grid, G) to (B, 3, H, W), uint8."""
        return self.decoder.mean_image(latents)

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Encode and decode images: (B, 3, H, W) uint8 to the same."""
        return self.decode(self.encode(pixels))

    def sample(self, count: int) -> Tensor:
        """Mean images of latents drawn from N(0, 1), (count, 3, H, W), uint8."""
        grid = self.config.autoencoder.grid
        shape = (count, grid, grid, self.config.latents_per_position)
        return self.decode(torch.randn(shape, device=next(self.parameters()).device))
