"""Pictures with drawn codes, learnt by VIMCO.

Mnih and Rezende 2016, "Variational inference for Monte Carlo objectives"; equations are numbered as there.

The bound is that of importance weighting, log 1/S sum_s p(x, z_s) / q(z_s | x) (Burda et al. 2016). Codes
cannot be differentiated, so q learns from log q times how much better the bound is for this sample than it
would be without.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config.images import ImageVimcoConfig
from speechvq.images.autoencoder import Decoder, Encoder
from speechvq.images.elbo import CodePrior, ElboLosses, ElboTerms, uniform_prior

AT_ONCE = 32  # pictures decoded at once; bounds memory, and stays in a cache
AT_ONCE_ON_GPU = 512
NEGLIGIBLE = 2.0**-24  # a share of the bound's gradient below fp32's resolution


def log_mean_weight(log_weights: Tensor) -> Tensor:
    """The bound on log p(x), from log p(x, z_s) - log q(z_s | x): (B, S) to (B,)."""
    return log_weights.logsumexp(1) - math.log(log_weights.shape[1])


def leave_one_out(log_weights: Tensor) -> Tensor:
    """The bound if sample s weighed the others' geometric mean (eq. 10): (B, S) to (B, S); 0 for S = 1."""
    samples = log_weights.shape[1]
    if samples == 1:
        return torch.zeros_like(log_weights)
    others = (log_weights.sum(1, keepdim=True) - log_weights) / (samples - 1)
    replaced = log_weights[:, None, :].repeat(1, samples, 1)  # row s: the weights, with another one at s
    replaced.diagonal(dim1=1, dim2=2).copy_(others)
    return replaced.logsumexp(2) - math.log(samples)


def vimco_weights(log_weights: Tensor) -> tuple[Tensor, Tensor]:
    """How the gradient of the bound is put together (eq. 11): sum_s signal_s d log q_s + share_s d log w_s.

    Args:
        log_weights: (B, S).

    Returns:
        The learning signal of each sample's q and each sample's share of the weight, (B, S) both, constants.
    """
    log_weights = log_weights.detach()
    signal = log_mean_weight(log_weights)[:, None] - leave_one_out(log_weights)
    return signal, log_weights.softmax(1)


class ImageVimco(nn.Module):
    """q(z | x) is a softmax over K codes for each of (grid, grid, G) latents; p(z) is uniform.

    Buffers: none. `codebook` (G, K, D) is what the decoder is told of a code.
    """

    def __init__(self, config: ImageVimcoConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config.autoencoder, (config.codes_per_position, config.num_codes))
        self.codebook = nn.Parameter(torch.randn(config.codes_per_position, config.num_codes, config.dim))
        self.decoder = Decoder(config.autoencoder, config.codes_per_position * config.dim)

    def forward(self, pixels: Tensor) -> ElboLosses:
        """The bound of a batch (B, 3, H, W) uint8, nats a dimension, and a total whose gradient is VIMCO's.

        All samples are weighed without a gradient; then only those whose share can be told from nothing are
        decoded again with one. With thousands of sub-pixels that is one or two of fifty, and a third of the
        time.
        """
        log_posterior = self._log_posterior(pixels)
        codes, log_q = self._draw(log_posterior, self.config.samples)
        with torch.no_grad():
            reconstruction, latents = self._nats(pixels, codes), log_q + self._log_k(codes)
            log_weights = -reconstruction - latents
            signal, share = vimco_weights(log_weights)
            picture, sample = (share >= NEGLIGIBLE).nonzero(as_tuple=True)
        nats = self.decoder.nll_per_image(pixels[picture], self.lookup(codes[picture, sample]))
        heard = (share[picture, sample] * nats).sum()  # the decoder's part
        total = (heard - ((signal - share) * log_q).sum()) / pixels.numel()
        means = [
            v.mean() / pixels[0].numel() for v in (-log_mean_weight(log_weights), reconstruction, latents)
        ]
        return ElboLosses(total, *means)

    def elbo(self, pixels: Tensor, prior: CodePrior | None = None) -> ElboTerms:
        """The importance-weighted bound from S samples, and the means of its parts over them.

        The total is at most the sum of the parts, which is the evidence lower bound, and equals it for S = 1.

        Args:
            pixels: (B, 3, H, W), uint8.
            prior: of the codes; None for the uniform one.
        """
        prior = prior or uniform_prior(self.config.num_codes)
        codes, log_q = self._draw(self._log_posterior(pixels), self.config.samples)
        nats = self._nats(pixels, codes)
        cost = torch.cat([prior(part) for part in _parts(codes.flatten(0, 1))]).view_as(nats) + log_q
        return ElboTerms(-log_mean_weight(-nats - cost), nats.mean(1), cost.mean(1))

    def encode(self, pixels: Tensor) -> Tensor:
        """The likeliest codes: (B, 3, H, W) uint8 to (B, grid, grid, G), int64."""
        return self.encoder(pixels).argmax(-1)

    def lookup(self, codes: Tensor) -> Tensor:
        """What the decoder is told of codes: (..., G) int64 to (..., G, D)."""
        flat = self.codebook.flatten(0, 1)
        offsets = torch.arange(self.config.codes_per_position, device=codes.device) * self.config.num_codes
        return F.embedding(codes + offsets, flat)

    def decode(self, codes: Tensor) -> Tensor:
        """The mean pictures of codes: (B, grid, grid, G) to (B, 3, H, W), uint8."""
        return self.decoder.mean_image(self.lookup(codes))

    def reconstruct(self, pixels: Tensor) -> Tensor:
        """Pictures through their likeliest codes, (B, 3, H, W), uint8."""
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

    def _log_k(self, codes: Tensor) -> float:
        return codes[0, 0].numel() * math.log(self.config.num_codes)

    def _nats(self, pixels: Tensor, codes: Tensor) -> Tensor:
        """-log p(x | z_s): (B, 3, H, W) and (B, S, grid, grid, G) to (B, S)."""
        owner = torch.arange(len(codes), device=codes.device).repeat_interleave(codes.shape[1])
        each = [
            self.decoder.nll_per_image(pixels[which], self.lookup(part))
            for which, part in zip(_parts(owner), _parts(codes.flatten(0, 1)))
        ]
        return torch.cat(each).view(codes.shape[:2])


def _parts(x: Tensor) -> tuple[Tensor, ...]:
    """Rows to be decoded at once."""
    return x.split(AT_ONCE if x.device.type == "cpu" else AT_ONCE_ON_GPU)
