"""The VQ-VAE of pictures: the shared model between the paper's encoder and decoder."""

import torch
from torch import Tensor, nn

from speechvq.config.images import ImageVQConfig
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.codebooks import Codebooks
from speechvq.images.elbo import CodePrior, ElboTerms, uniform_prior
from speechvq.normalization import BatchRenorm
from speechvq.quantizer import VectorQuantizer
from speechvq.vqvae import VQVAE


class ImageVQ(VQVAE):
    """A VQVAE whose x are pictures, (B, 3, H, W) uint8, and whose codes are (B, grid, grid, G).

    Our choice: batch renormalisation before the quantiser, as in the speech model. Beside the nats of 3,072
    sub-pixels the commitment is light, and without it the encoder's outputs left the codebook's scale a
    thousandfold.
    """

    encoder: nn.Sequential
    decoder: Decoder

    def __init__(self, config: ImageVQConfig) -> None:
        """
        Args:
            config: sizes and options.
        """
        dim, count = config.quantizer.dim, config.codes_per_position
        separate = config.codebooks == "separate" and count > 1
        super().__init__(
            nn.Sequential(
                Encoder(config.autoencoder, (count * dim,)),
                BatchRenorm(count * dim),
                nn.Unflatten(-1, (count, dim)),
            ),
            Codebooks(config.quantizer, count) if separate else VectorQuantizer.from_config(config.quantizer),
            Decoder(config.autoencoder, count * dim),
        )
        self.config = config

    def elbo(self, pixels: Tensor, prior: CodePrior | None = None) -> ElboTerms:
        """-log p(x | z_q) - log p(z_q), above -log p(x) because the latter sums over all z (section 4.1).

        Args:
            pixels: (B, 3, H, W), uint8.
            prior: of the codes; None for the uniform one.
        """
        codes = self.encode(pixels)
        reconstruction = self.decoder.nll_per_image(pixels, self.quantizer.lookup(codes))
        latents = (prior or uniform_prior(self.config.quantizer.num_codes))(codes)
        return ElboTerms(reconstruction + latents, reconstruction, latents)

    def entries(self) -> Tensor:
        """The vectors of all codes at each of a position's places, (K, G, D)."""
        every = torch.arange(self.config.quantizer.num_codes, device=next(self.parameters()).device)
        return self.quantizer.lookup(every[:, None].expand(-1, self.config.codes_per_position))

    def decode(self, codes: Tensor) -> Tensor:
        """The mean pictures of codes: (B, grid, grid, G) to (B, 3, H, W), uint8."""
        return self.decoder.mean_image(self.quantizer.lookup(codes))

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Pictures through the bottleneck, (B, 3, H, W), uint8."""
        return self.decode(self.encode(pixels))
