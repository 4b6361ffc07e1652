"""One NaN from the encoder stayed in the EMA statistics of the codebook, although the update was skipped."""

import pytest
import torch

from speechvq.quantizer import VectorQuantizer


@pytest.mark.parametrize("mode", ["loss", "ema"])
def test_nonfinite_vectors_leave_the_codebook_finite(mode: str) -> None:
    quantizer = VectorQuantizer(8, 3, codebook=mode)  # type: ignore[arg-type]
    for batch in (torch.full((9, 3), torch.nan), torch.randn(9, 3), torch.full((9, 3), torch.inf)):
        quantizer(batch)
    assert all(tensor.isfinite().all() for tensor in quantizer.state_dict().values())
