"""What identifies a set of code sequences: number of codes, code rate and codebook."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CodeSpec:
    """The properties that a prior, its training codes and the decoding model must share."""

    num_codes: int  # K
    frame_rate_hz: float  # codes per second
    codebook: str  # fingerprint of the codebook; "" if unknown

    def difference(self, other: "CodeSpec") -> str:
        """Describe the first difference from another specification, this one's value first; "" if they agree.

        An unknown codebook counts as a difference: nothing shows that it is the same.
        """
        if self.num_codes != other.num_codes:
            return f"{self.num_codes} codes, not {other.num_codes}"
        if not math.isclose(self.frame_rate_hz, other.frame_rate_hz, rel_tol=1e-6):
            return f"{self.frame_rate_hz:g} codes per second, not {other.frame_rate_hz:g}"
        if not self.codebook or self.codebook != other.codebook:
            return f"codebook {self.codebook or 'unknown'}, not {other.codebook or 'unknown'}"
        return ""
