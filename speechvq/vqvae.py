"""VQ-VAE of any modality: encoder, vector quantizer, decoder (van den Oord et al. 2017)."""

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from torch import Tensor, nn

from speechvq.quantizer import QuantizerOutput


class Quantizer(Protocol):
    """A `VectorQuantizer`, or several that act as one."""

    def __call__(self, vectors: Tensor) -> QuantizerOutput:
        """Quantize vectors (..., D)."""

    def lookup(self, codes: Tensor) -> Tensor:
        """Codebook entries of codes (...), (..., D)."""


class LikelihoodDecoder(Protocol):
    """A decoder that gives the likelihood of data."""

    @property
    def nll(self) -> Callable[..., Tensor]:
        """Method (x, vectors, *condition): -log p(x | vectors, condition), nats per dimension of x, ()."""


class Losses(NamedTuple):
    """Losses of one batch, and the code usage."""

    total: Tensor  # (), the training loss: eq. 3 divided by the number of dimensions of x
    nats: Tensor  # (), -log p(x | z_q), nats per dimension of x; first term of eq. 3
    quantizer: Tensor  # (), codebook and commitment terms of eq. 3
    usage: Tensor  # (K,), how often each code was chosen in the batch


class VQVAE(nn.Module):
    """Encoder, vector quantizer and decoder.

    A subclass provides the modules and implements `decode`. A condition is a tensor (B, ...) that the decoder
    takes besides the vectors, for example speaker numbers.
    """

    encoder: nn.Module
    quantizer: Quantizer
    decoder: LikelihoodDecoder

    def __init__(self, encoder: nn.Module, quantizer: Quantizer, decoder: LikelihoodDecoder) -> None:
        """
        Args:
            encoder: x (B, ...) to vectors (B, N..., D).
            quantizer: vectors to codebook entries.
            decoder: likelihood of x given the entries.
        """
        super().__init__()
        self.encoder, self.quantizer, self.decoder = encoder, quantizer, decoder

    def forward(self, x: Tensor, *condition: Tensor) -> Losses:
        """Losses of a batch x, (B, ...), given the decoder's conditions, (B, ...) each.

        In eq. 3 the likelihood covers all dimensions of x, and the quantizer terms are means over the vectors
        of x. The total is eq. 3 divided by the number of dimensions, so the quantizer terms are divided too.
        With their full weight next to nats per dimension, the commitment loss pulls all vectors to one point
        before the decoder has learned to use them.
        """
        quantized = self.quantizer(self.encoder(x))
        nats = self.decoder.nll(x, quantized.vectors, *condition)
        total = nats + quantized.loss / x[0].numel()
        return Losses(total, nats.detach(), quantized.loss.detach(), quantized.usage)

    def encode(self, x: Tensor) -> Tensor:
        """Codes of x: (B, ...) to (B, N...), int64."""
        return self.quantizer(self.encoder(x)).codes

    def decode(self, codes: Any, /, *condition: Any, **options: Any) -> Any:
        """Data of codes (B, N...), given the decoder's conditions. Every modality has its own `decode`."""
        raise NotImplementedError

    def nll(self, x: Tensor, codes: Tensor, *condition: Tensor) -> Tensor:
        """-log p(x | codes, condition), nats per dimension of x, (). The codes may be those of other data."""
        return self.decoder.nll(x, self.quantizer.lookup(codes), *condition)
