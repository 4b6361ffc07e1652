"""The VQ-VAE of images: the generic VQ-VAE with the paper's image encoder and decoder."""

import torch
from torch import Tensor, nn

from speechvq.config.images import ImageVQConfig
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.codebooks import Codebooks
from speechvq.images.elbo import CodePrior, ElboTerms, uniform_prior
from speechvq.normalization import BatchRenorm
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.quantizer import VectorQuantizer
from speechvq.vqvae import VQVAE


class ImageVQ(VQVAE):
    """A VQ-VAE of images (B, 3, H, W) uint8, with codes (B, grid, grid, G).

    Batch renormalization before the quantizer is our choice, as in the speech model. Relative to the
    likelihood of 3,072 sub-pixels the commitment loss is small; without normalization the encoder's outputs
    grew to a thousand times the scale of the codebook.
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

    @property
    def grid(self) -> Grid:
        """The shape of an image's codes."""
        side, quantizer = self.config.autoencoder.grid, self.config.quantizer
        return Grid(side, side, self.config.codes_per_position, quantizer.num_codes)

    def elbo(self, pixels: Tensor, prior: CodePrior | None = None) -> ElboTerms:
        """-log p(x | z) - log p(z) for the codes z of x (van den Oord et al. 2017, section 4.1).

        It bounds -log p(x) from above, because p(x) sums over all z.

        Args:
            pixels: (B, 3, H, W), uint8.
            prior: of the codes; None for the uniform prior.
        """
        codes = self.encode(pixels)
        reconstruction = self.decoder.nll_per_image(pixels, self.quantizer.lookup(codes))
        latents = (prior or uniform_prior(self.config.quantizer.num_codes))(codes)
        return ElboTerms(reconstruction + latents, reconstruction, latents)

    def entries(self) -> Tensor:
        """The codebook entries of all codes, for each of the G codes of a position: (K, G, D)."""
        codes = torch.arange(self.config.quantizer.num_codes, device=next(self.parameters()).device)
        return self.quantizer.lookup(codes[:, None].expand(-1, self.config.codes_per_position))

    def decode(self, codes: Tensor) -> Tensor:
        """The mean image of codes: (B, grid, grid, G) int64 to (B, 3, H, W), uint8."""
        return self.decoder.mean_image(self.quantizer.lookup(codes))

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Encode and decode images: (B, 3, H, W) uint8 to the same."""
        return self.decode(self.encode(pixels))
