"""A codebook for each of several latents at a position: the shared quantiser, once for each."""

import torch
from torch import Tensor, nn

from speechvq.config import QuantizerConfig
from speechvq.quantizer import QuantizerOutput, VectorQuantizer


class Codebooks(nn.Module):
    """G quantisers for vectors (..., G, D), each with an embedding space of its own.

    To a VQVAE it looks like one: codes are (..., G), the loss is the mean over all vectors as in eq. 3, usage
    counts the G K entries one codebook after the other.
    """

    def __init__(self, config: QuantizerConfig, count: int) -> None:
        super().__init__()
        self.config = config
        self.quantizers = nn.ModuleList(VectorQuantizer.from_config(config) for _ in range(count))

    def forward(self, vectors: Tensor) -> QuantizerOutput:
        """Quantise (..., G, D), and in training mode learn."""
        parts = [quantizer(part) for quantizer, part in zip(self.quantizers, vectors.unbind(-2), strict=True)]
        return QuantizerOutput(
            torch.stack([part.vectors for part in parts], -2),
            torch.stack([part.codes for part in parts], -1),
            torch.stack([part.loss for part in parts]).mean(),
            torch.cat([part.usage for part in parts]),
        )

    def lookup(self, codes: Tensor) -> Tensor:
        """The entries of codes: (..., G) int64 to (..., G, D)."""
        return torch.stack(
            [q.lookup(part) for q, part in zip(self.quantizers, codes.unbind(-1), strict=True)], -2
        )
