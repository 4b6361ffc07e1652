"""A model of images with stochastic discrete latents, trained by VIMCO.

Mnih and Rezende 2016, "Variational inference for Monte Carlo objectives"; equation numbers refer to it.

The objective is the importance-weighted bound log 1/S sum_s p(x, z_s) / q(z_s | x) (Burda et al. 2016).
Sampling codes is not differentiable; the gradient for q is that of log q, weighted by the bound's gain from
the sample over a baseline computed from the other samples.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config.images import ImageVimcoConfig
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.elbo import CodePrior, ElboLosses, ElboTerms, uniform_prior
from speechvq.priors.grid.pixelcnn import Grid

BATCH_CPU = 32  # images decoded at once; bounds memory and fits a CPU's cache
BATCH_GPU = 512
NEGLIGIBLE_WEIGHT = 2.0**-24  # below the resolution of float32


def log_mean_weight(log_weights: Tensor) -> Tensor:
    """The bound on log p(x), from log p(x, z_s) - log q(z_s | x): (B, S) to (B,)."""
    return log_weights.logsumexp(1) - math.log(log_weights.shape[1])


def leave_one_out(log_weights: Tensor) -> Tensor:
    """The bound with sample s replaced by the geometric mean of the others (eq. 10): (B, S) to (B, S).

    Zeros for S = 1.
    """
    samples = log_weights.shape[1]
    if samples == 1:
        return torch.zeros_like(log_weights)
    mean_of_others = (log_weights.sum(1, keepdim=True) - log_weights) / (samples - 1)
    replaced = log_weights[:, None, :].repeat(1, samples, 1)
    replaced.diagonal(dim1=1, dim2=2).copy_(mean_of_others)
    return replaced.logsumexp(2) - math.log(samples)


def vimco_weights(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """Coefficients of the gradient of the bound (eq. 11): sum_s signal_s d log q_s + weight_s d log w_s.

    Args:
        log_weights: (B, S).

    Returns:
        The learning signal of each sample and its normalized importance weight, (B, S) each, detached.
    """
    log_weights = log_weights.detach()
    signal = log_mean_weight(log_weights)[:, None] - leave_one_out(log_weights)
    return signal, log_weights.softmax(1)


class ImageVimco(nn.Module):
    """q(z | x) is a softmax over K codes for each of the (grid, grid, G) latents; p(z) is uniform.

    Parameters:
        codebook: (G, K, D), the decoder's embedding of the codes.
    """

    def __init__(self, config: ImageVimcoConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.autoencoder, (config.codes_per_position, config.num_codes))
        self.codebook = nn.Parameter(torch.randn(config.codes_per_position, config.num_codes, config.dim))
        self.decoder = Decoder(config.autoencoder, config.codes_per_position * config.dim)

    @property
    def grid(self) -> Grid:
        """The shape of an image's codes."""
        side = self.config.autoencoder.grid
        return Grid(side, side, self.config.codes_per_position, self.config.num_codes)

    def forward(self, pixels: Tensor) -> ElboLosses:
        """The bound of a batch, and a total whose gradient is VIMCO's.

        All samples are weighted without a gradient; only those with a weight that is not negligible are
        decoded again with one. With thousands of sub-pixels these are one or two of fifty, which saves two
        thirds of the time.

        Args:
            pixels: (B, 3, H, W), uint8.

        Returns:
            Losses in nats per sub-pixel.
        """
        log_posterior = self._log_posterior(pixels)
        codes, log_q = self._draw(log_posterior, self.config.samples)
        with torch.no_grad():
            reconstruction, latents = self._nll(pixels, codes), log_q + self._uniform_nll(codes)
            log_weights = -reconstruction - latents
            signal, weights = vimco_weights(log_weights)
            image, sample = (weights >= NEGLIGIBLE_WEIGHT).nonzero(as_tuple=True)
        nll = self.decoder.nll_per_image(pixels[image], self.lookup(codes[image, sample]))
        decoder_loss = (weights[image, sample] * nll).sum()
        total = (decoder_loss - ((signal - weights) * log_q).sum()) / pixels.numel()
        terms = (-log_mean_weight(log_weights), reconstruction, latents)
        return ElboLosses(total, *(term.mean() / pixels[0].numel() for term in terms))

    def elbo(self, pixels: Tensor, prior: CodePrior | None = None) -> ElboTerms:
        """The importance-weighted bound from S samples, and the means of its terms over the samples.

        The total is at most the sum of the terms, the evidence lower bound; for S = 1 they are equal.

        Args:
            pixels: (B, 3, H, W), uint8.
            prior: of the codes; None for the uniform prior.
        """
        prior = prior or uniform_prior(self.config.num_codes)
        codes, log_q = self._draw(self._log_posterior(pixels), self.config.samples)
        reconstruction = self._nll(pixels, codes)
        prior_nll = torch.cat([prior(part) for part in _batches(codes.flatten(0, 1))])
        latents = prior_nll.view_as(reconstruction) + log_q
        return ElboTerms(-log_mean_weight(-reconstruction - latents), reconstruction.mean(1), latents.mean(1))

    def encode(self, pixels: Tensor) -> Tensor:
        """The most likely codes: (B, 3, H, W) uint8 to (B, grid, grid, G), int64."""
        return self.encoder(pixels).argmax(-1)

    def lookup(self, codes: Tensor) -> Tensor:
        """The decoder's embedding of codes: (..., G) int64 to (..., G, D)."""
        offsets = torch.arange(self.config.codes_per_position, device=codes.device) * self.config.num_codes
        return F.embedding(codes + offsets, self.codebook.flatten(0, 1))

    def decode(self, codes: Tensor) -> Tensor:
        """The mean image of codes: (B, grid, grid, G) int64 to (B, 3, H, W), uint8."""
        return self.decoder.mean_image(self.lookup(codes))

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Encode and decode images: (B, 3, H, W) uint8 to the same."""
        return self.decode(self.encode(pixels))

    def _log_posterior(self, pixels: Tensor) -> Tensor:
        """log q(z | x) of every latent and code: (B, grid, grid, G, K), float32."""
        return self.encoder(pixels).float().log_softmax(-1)

    def _draw(self, log_posterior: Tensor, samples: int) -> tuple[Tensor, Tensor]:
        """Codes (B, S, grid, grid, G) drawn from q, and log q of each sample, (B, S)."""
        rows = log_posterior.flatten(0, -2)
        drawn = torch.multinomial(rows.detach().exp(), samples, replacement=True)
        log_q = rows.gather(1, drawn).view(len(log_posterior), -1, samples).sum(1)
        return drawn.view(*log_posterior.shape[:-1], samples).movedim(-1, 1).contiguous(), log_q

    def _uniform_nll(self, codes: Tensor) -> float:
        """-log p(z) of one sample's codes under the uniform prior, nats."""
        return codes[0, 0].numel() * math.log(self.config.num_codes)

    def _nll(self, pixels: Tensor, codes: Tensor) -> Tensor:
        """-log p(x | z_s), nats per image: (B, 3, H, W) and (B, S, grid, grid, G) to (B, S)."""
        owners = torch.arange(len(codes), device=codes.device).repeat_interleave(codes.shape[1])
        nll = [
            self.decoder.nll_per_image(pixels[owner], self.lookup(part))
            for owner, part in zip(_batches(owners), _batches(codes.flatten(0, 1)))
        ]
        return torch.cat(nll).view(codes.shape[:2])


def _batches(x: Tensor) -> tuple[Tensor, ...]:
    """Split rows into batches that are decoded at once."""
    return x.split(BATCH_CPU if x.device.type == "cpu" else BATCH_GPU)
