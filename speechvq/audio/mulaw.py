"""Between the waveform and the classes that the WaveNet predicts: pre-emphasis and mu-law levels."""

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn


class MuLawCodec(nn.Module):
    """Pre-emphasis, a fixed gain, and mu-law companding to classes; and all the way back.

    Without pre-emphasis the rounding noise of mu-law is louder than the upper half of the spectrum; with it
    the noise is shaped like speech and hides behind it (Valin and Skoglund 2019, section 3.2).
    """

    def __init__(self, preemphasis: float, num_bins: int) -> None:
        """The gain brings speech of the package's level to an RMS of about 0.1, with or without emphasis."""
        super().__init__()
        self.emphasis, self.levels = preemphasis, num_bins
        self.gain = 4.0 if preemphasis > 0 else 1.6
        centres = TAF.mu_law_decoding(torch.arange(num_bins), num_bins)
        edges = torch.cat([centres[:1], (centres[1:] + centres[:-1]) / 2, centres[-1:]])
        self.register_buffer("log_widths", (edges[1:] - edges[:-1]).log(), persistent=False)  # of the levels

    def preemphasize(self, wave: Tensor) -> Tensor:
        """y[t] = gain (x[t] - a x[t-1]): (B, T) to (B, T)."""
        return self.gain * (wave - self.emphasis * F.pad(wave, (1, -1)))

    def encode(self, emphasised: Tensor) -> Tensor:
        """mu-law classes of an emphasised wave clipped to [-1, 1]: (B, T) to (B, T), int64."""
        return TAF.mu_law_encoding(emphasised.clamp(-1, 1), self.levels)

    def decode(self, levels: Tensor) -> Tensor:
        """Emphasised wave of classes: (B, T) to (B, T), float32."""
        return TAF.mu_law_decoding(levels, self.levels)

    def deemphasize(self, emphasised: Tensor, before: Tensor | None = None) -> Tensor:
        """The exact inverse of `emphasise`.

        Args:
            emphasised: (B, T).
            before: (B,), the waveform's last sample before these; None at the beginning.

        Returns:
            (B, T), float32.
        """
        wave = emphasised / self.gain
        if self.emphasis == 0:
            return wave
        if before is not None:
            wave[:, 0] += self.emphasis * before
        feedback = torch.tensor([1.0, -self.emphasis], device=wave.device)
        return TAF.lfilter(wave, feedback, torch.tensor([1.0, 0.0], device=wave.device), clamp=False)

    def decode_waveform(self, levels: Tensor) -> Tensor:
        """Waveform of classes: mu-law expansion, then no more emphasis: (B, T) to (B, T), float32."""
        return self.deemphasize(self.decode(levels))
