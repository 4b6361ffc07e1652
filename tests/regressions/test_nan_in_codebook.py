"""One NaN from the encoder stayed in the codebook's moving averages, though no update was applied."""

import pytest
import torch

from speechvq.quantizer import VectorQuantizer


@pytest.mark.parametrize("mode", ["loss", "ema"])
def test_the_codebook_survives(mode: str) -> None:
    quantizer = VectorQuantizer(8, 3, codebook=mode)  # type: ignore[arg-type]
    for batch in (torch.full((9, 3), torch.nan), torch.randn(9, 3), torch.full((9, 3), torch.inf)):
        quantizer(batch)
    assert all(tensor.isfinite().all() for tensor in quantizer.state_dict().values())
