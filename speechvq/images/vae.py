"""The Gaussian VAE of pictures (Kingma and Welling 2014), on the same encoder and decoder."""

import torch
from torch import Tensor, nn

from speechvq.config.images import ImageVAEConfig
from speechvq.errors import UserError
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.elbo import CodePrior, ElboLosses, ElboTerms


class ImageVAE(nn.Module):
    """q(z | x) and p(z) are Gaussian, latents (B, grid, grid, G) independent; one z is drawn a picture."""

    def __init__(self, config: ImageVAEConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.autoencoder, (2, config.latents_per_position))
        self.decoder = Decoder(config.autoencoder, config.latents_per_position)

    def forward(self, pixels: Tensor) -> ElboLosses:
        """The negative evidence lower bound of a batch (B, 3, H, W) uint8, nats a dimension."""
        total, reconstruction, latents = (part.mean() / pixels[0].numel() for part in self.elbo(pixels))
        return ElboLosses(total, total.detach(), reconstruction.detach(), latents.detach())

    def posterior(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log variance of q(z | x), (B, grid, grid, G) each."""
        mean, log_variance = self.encoder(pixels).float().unbind(-2)
        return mean, log_variance

    def elbo(self, pixels: Tensor, prior: CodePrior | None = None) -> ElboTerms:
        """-log p(x | z) for one z of q(z | x), and KL(q(z | x) | N(0, 1)) in closed form.

        Raises:
            UserError: a prior of codes was given, and there are none.
        """
        if prior is not None:
            raise UserError(
                "a VAE's latents are no codes, so no prior of codes can be fitted; leave --prior out"
            )
        mean, log_variance = self.posterior(pixels)
        latents = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        reconstruction = self.decoder.nll_per_image(pixels, latents)
        divergence = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).flatten(1).sum(1)
        return ElboTerms(reconstruction + divergence, reconstruction, divergence)

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Pictures through the means of q(z | x), (B, 3, H, W), uint8."""
        return self.decoder.mean_image(self.posterior(pixels)[0])

    def sample(self, count: int) -> Tensor:
        """Mean pictures of latents drawn from N(0, 1): (count, 3, H, W), uint8."""
        grid = self.config.autoencoder.grid
        device = next(self.parameters()).device
        return self.decoder.mean_image(
            torch.randn(count, grid, grid, self.config.latents_per_position, device=device)
        )
