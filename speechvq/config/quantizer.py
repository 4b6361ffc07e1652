"""Settings of the vector quantizer, the same for every modality."""

from dataclasses import dataclass
from typing import Literal

from speechvq.config.bounds import bounded


@dataclass(frozen=True)
class QuantizerConfig:
    """Codebook size and learning, see `quantizer.VectorQuantizer`."""

    # K, number of codes
    num_codes: int = bounded(1, 65_536, 512)
    # D, width of a codebook entry (our choice)
    dim: int = bounded(1, 4096, 64)
    # how the codebook learns: by the second term of eq. 3, or by exponential moving averages (appendix A.1)
    codebook: Literal["loss", "ema"] = "loss"
    # beta of eq. 3
    commitment: float = bounded(0, 1000, 0.25)
    # gamma of appendix A.1; also the decay of the usage that detects dead codes
    ema_decay: float = bounded(0, 1, 0.99)
    # codes used less than this fraction of the mean usage are reinitialized; 0 turns this off (our choice)
    dead_code_threshold: float = bounded(0, 1, 0.1)
