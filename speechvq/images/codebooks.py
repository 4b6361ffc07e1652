"""Several vector quantizers side by side, one for each code of a position."""

from typing import cast

import torch
from torch import Tensor, nn

from speechvq.config import QuantizerConfig
from speechvq.quantizer import QuantizerOutput, VectorQuantizer


class Codebooks(nn.Module):
    """G independent quantizers for vectors (..., G, D).

    It has the interface of one `VectorQuantizer`: codes are (..., G), the loss is the mean over all vectors,
    and the usage is that of the G K entries, codebook after codebook.
    """

    def __init__(self, config: QuantizerConfig, count: int) -> None:
        """
        Args:
            config: of each quantizer.
            count: G.
        """
        super().__init__()
        self.config = config
        self.quantizers = nn.ModuleList(VectorQuantizer.from_config(config) for _ in range(count))

    def forward(self, vectors: Tensor) -> QuantizerOutput:
        """Quantize (..., G, D); in training mode the codebooks are updated."""
        parts: list[QuantizerOutput] = [
            quantizer(part) for quantizer, part in zip(self.quantizers, vectors.unbind(-2), strict=True)
        ]
        return QuantizerOutput(
            torch.stack([part.vectors for part in parts], -2),
            torch.stack([part.codes for part in parts], -1),
            torch.stack([part.loss for part in parts]).mean(),
            torch.cat([part.usage for part in parts]),
        )

    def lookup(self, codes: Tensor) -> Tensor:
        """The codebook entries of codes: (..., G) int64 to (..., G, D)."""
        quantizers = cast(list[VectorQuantizer], self.quantizers)
        pairs = zip(quantizers, codes.unbind(-1), strict=True)
        return torch.stack([quantizer.lookup(part) for quantizer, part in pairs], -2)
