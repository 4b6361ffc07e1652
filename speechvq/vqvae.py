"""The model of the paper, whatever the modality: encoder, quantiser, decoder (van den Oord et al. 2017)."""

from typing import NamedTuple

from torch import Tensor, nn

from speechvq.quantizer import VectorQuantizer


class Losses(NamedTuple):
    """What one batch costs, and what it showed."""

    total: Tensor  # (), what is minimised: eq. 3 divided by the number of dimensions of x
    nats: Tensor  # (), -log p(x | z_q) a dimension of x; first term of eq. 3
    quantizer: Tensor  # (), codebook and commitment terms of eq. 3
    usage: Tensor  # (K,), code counts of the batch


class VQVAE(nn.Module):
    """Encoder, quantiser and decoder as three visible parts.

    A modality brings an encoder, x to (B, ..., D), and a decoder with `nats(x, vectors, *condition)`, the
    negative log-likelihood of x in nats a dimension; the rest is here.
    """

    def __init__(self, encoder: nn.Module, quantizer: VectorQuantizer, decoder: nn.Module) -> None:
        super().__init__()
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder

    def forward(self, x: Tensor, *condition: Tensor) -> Losses:
        """The loss of eq. 3 for a batch: x (B, ...) and what the decoder is told besides, (B, ...) each.

        In eq. 3 the likelihood is of all of x and the quantiser's terms are means over its vectors. Nats a
        dimension therefore go with the terms divided by the dimensions. It matters: with their full weight
        beside nats a dimension, the commitment draws all vectors together before the decoder has found a use
        for them.
        """
        quantised = self.quantizer(self.encoder(x))
        nats = self.decoder.nll(x, quantised.vectors, *condition)
        total = nats + quantised.loss / x[0].numel()
        return Losses(total, nats.detach(), quantised.loss.detach(), quantised.usage)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of x: (B, ...) to (B, N...), int64."""
        return self.quantizer(self.encoder(x)).codes

    def nll(self, x: Tensor, codes: Tensor, *condition: Tensor) -> Tensor:
        """-log p(x | codes, condition) a dimension of x, (): also of codes that are not x's own."""
        return self.decoder.nll(x, self.quantizer.lookup(codes), *condition)
