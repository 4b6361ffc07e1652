"""The mu-law codec between the waveform and the bins that the WaveNet predicts."""

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

# Gain of the encoder's input. Pre-emphasized speech has an RMS of about 0.1; with a smaller input all codes
# become one.
INPUT_GAIN = 10.0


class MuLawCodec(nn.Module):
    """Pre-emphasis, a fixed gain and mu-law quantization, and their inverses.

    Without pre-emphasis the quantization noise of mu-law is louder than the upper half of the speech
    spectrum. With it, the noise has the shape of a speech spectrum and is masked by it (Valin and Skoglund
    2019, section 3.2).

    Buffers:
        log_widths: (num_bins,), natural logarithm of the width of each bin's interval, in units of full
            scale.
    """

    log_widths: Tensor

    def __init__(self, preemphasis: float, num_bins: int) -> None:
        """
        Args:
            preemphasis: coefficient a of y[t] = x[t] - a x[t-1]; 0 for none.
            num_bins: number of mu-law bins.
        """
        super().__init__()
        self.preemphasis, self.num_bins = preemphasis, num_bins
        self.gain = 4.0 if preemphasis > 0 else 1.6  # to an RMS of about 0.1 for speech at TARGET_RMS
        centers = TAF.mu_law_decoding(torch.arange(num_bins), num_bins)
        self.register_buffer("log_widths", log_bin_widths(centers), persistent=False)

    def preemphasize(self, wave: Tensor) -> Tensor:
        """y[t] = gain (x[t] - a x[t-1]): (B, T) to (B, T)."""
        return self.gain * (wave - self.preemphasis * F.pad(wave, (1, -1)))

    def deemphasize(self, preemphasized: Tensor, before: Tensor | None = None) -> Tensor:
        """The exact inverse of `preemphasize`.

        Args:
            preemphasized: (B, T).
            before: (B,), the last sample of the waveform before these; None at the beginning.

        Returns:
            (B, T), float32.
        """
        wave = preemphasized / self.gain
        if self.preemphasis == 0:
            return wave
        if before is not None:
            wave[:, 0] += self.preemphasis * before
        feedback = torch.tensor([1.0, -self.preemphasis], device=wave.device)
        return TAF.lfilter(wave, feedback, torch.tensor([1.0, 0.0], device=wave.device), clamp=False)

    def encode(self, preemphasized: Tensor) -> Tensor:
        """mu-law bins of a pre-emphasized waveform, clipped to [-1, 1]: (B, T) to (B, T), int64."""
        return mulaw_bins(preemphasized, self.num_bins)

    def decode(self, bins: Tensor) -> Tensor:
        """Pre-emphasized waveform of mu-law bins: (B, T), int64, to (B, T), float32."""
        return TAF.mu_law_decoding(bins, self.num_bins)

    def decode_waveform(self, bins: Tensor) -> Tensor:
        """Waveform of mu-law bins, pre-emphasis undone: (B, T), int64, to (B, T), float32."""
        return self.deemphasize(self.decode(bins))


def mulaw_bins(values: Tensor, num_bins: int) -> Tensor:
    """mu-law bins of values that are clipped to [-1, 1]; any shape, int64 in [0, num_bins).

    NaN gets some valid bin: a training step then has a loss of NaN, which is not applied, and no IndexError.
    """
    return TAF.mu_law_encoding(values.clamp(-1, 1), num_bins).clamp(0, num_bins - 1)


def log_bin_widths(centers: Tensor) -> Tensor:
    """Natural logarithm of the width of the interval nearest to each center: (Q,), ascending, to (Q,)."""
    edges = torch.cat([centers[:1], (centers[1:] + centers[:-1]) / 2, centers[-1:]])
    return (edges[1:] - edges[:-1]).log()
