"""Between the waveform and the classes that the WaveNet predicts: pre-emphasis and mu-law levels."""

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn


class Companding(nn.Module):
    """Pre-emphasis, a fixed gain, and mu-law companding to classes; and all the way back.

    Without pre-emphasis the rounding noise of mu-law is louder than the upper half of the spectrum; with it
    the noise is shaped like speech and hides behind it (Valin and Skoglund 2019, section 3.2).
    """

    def __init__(self, emphasis: float, levels: int) -> None:
        """The gain brings speech of the package's level to an RMS of about 0.1, with or without emphasis."""
        super().__init__()
        self.emphasis, self.levels = emphasis, levels
        self.gain = 4.0 if emphasis > 0 else 1.6

    def emphasise(self, wave: Tensor) -> Tensor:
        """y[t] = gain (x[t] - a x[t-1]): (B, T) to (B, T)."""
        return self.gain * (wave - self.emphasis * F.pad(wave, (1, -1)))

    def to_levels(self, emphasised: Tensor) -> Tensor:
        """mu-law classes of an emphasised wave clipped to [-1, 1]: (B, T) to (B, T), int64."""
        return TAF.mu_law_encoding(emphasised.clamp(-1, 1), self.levels)

    def to_wave(self, levels: Tensor, before: Tensor | None = None) -> Tensor:
        """Waveform of classes: mu-law expansion, then the exact inverse of `emphasise`.

        Args:
            levels: (B, T).
            before: (B,), the waveform's last sample before these; None at the beginning.

        Returns:
            (B, T), float32.
        """
        expanded = TAF.mu_law_decoding(levels, self.levels) / self.gain
        if self.emphasis == 0:
            return expanded
        if before is not None:
            expanded[:, 0] += self.emphasis * before
        feedback = torch.tensor([1.0, -self.emphasis], device=expanded.device)
        return TAF.lfilter(expanded, feedback, torch.tensor([1.0, 0.0], device=expanded.device), clamp=False)
