"""What code strings are written in: how many codes, how many a second, and whose codebook."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CodeSpec:
    """What must be the same of a prior, the codes it learnt from and the model that speaks them."""

    num_codes: int  # K
    frame_rate_hz: float  # codes per second
    codebook: str  # fingerprint of the codebook; "" where nobody said

    def difference(self, other: "CodeSpec") -> str:
        """What is not the same, in words that name this one's before the other's; "" if they are one.

        Without a fingerprint on either side nothing shows that they are, so that is a difference too.
        """
        if self.num_codes != other.num_codes:
            return f"{self.num_codes} codes, not {other.num_codes}"
        if not math.isclose(self.frame_rate_hz, other.frame_rate_hz, rel_tol=1e-6):
            return f"{self.frame_rate_hz:g} codes per second, not {other.frame_rate_hz:g}"
        if not self.codebook or self.codebook != other.codebook:
            return f"codebook {self.codebook or 'unknown'}, not {other.codebook or 'unknown'}"
        return ""
