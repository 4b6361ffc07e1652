"""Settings of the bottleneck that every modality shares."""

from dataclasses import dataclass
from typing import Literal

from speechvq.config.bounds import bounded


@dataclass(frozen=True)
class QuantizerConfig:
    """The codebook and how it learns."""

    num_codes: int = bounded(1, 65_536, 512)  # K
    dim: int = bounded(1, 4096, 64)  # D, our choice
    codebook: Literal["loss", "ema"] = "loss"  # by eq. 3's second term, or by moving averages (appendix A.1)
    commitment: float = bounded(0, 1000, 0.25)  # beta of eq. 3
    # gamma of appendix A.1; also the memory of the usage that revival looks at
    ema_decay: float = bounded(0, 1, 0.99)
    # our choice: a code used less than this share of the mean is drawn anew; 0 never
    dead_code_threshold: float = bounded(0, 1, 0.1)
