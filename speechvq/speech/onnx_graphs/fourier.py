"""Short-time Fourier transforms as convolutions, for runtimes without complex numbers."""

import math

import torch
from torch import Tensor


def stft_kernel(fft: int, window: Tensor) -> Tensor:
    """Convolution kernel of an STFT without normalization.

    Args:
        fft: samples per frame.
        window: (W,), W <= fft; centered in the frame.

    Returns:
        (2 (fft / 2 + 1), 1, fft): outputs are the real parts, then the imaginary parts.
    """
    cosines, sines = _angles(fft)
    return (torch.cat([cosines, -sines]) * _centered(fft, window)).float().unsqueeze(1)


def inverse_stft_kernel(fft: int, window: Tensor) -> Tensor:
    """Kernel of a transposed convolution that adds up windowed inverse transforms of frames.

    Args:
        fft: samples per frame.
        window: (fft,).

    Returns:
        (2 (fft / 2 + 1), 1, fft), of the real parts, then of the imaginary parts.
    """
    cosines, sines = _angles(fft)
    counts = torch.full((fft // 2 + 1, 1), 2.0, dtype=torch.float64)  # of each frequency, with its mirror
    counts[0] = counts[-1] = 1.0
    both = torch.cat([counts * cosines, -counts * sines]) / fft
    return (both * window.double()).float().unsqueeze(1)


def _angles(fft: int) -> tuple[Tensor, Tensor]:
    """Cosines and sines of each frequency and sample, (fft / 2 + 1, fft) each, float64."""
    product = torch.arange(fft // 2 + 1)[:, None] * torch.arange(fft) % fft
    angle = 2 * math.pi * product.double() / fft
    return angle.cos(), angle.sin()


def _centered(fft: int, window: Tensor) -> Tensor:
    before = (fft - len(window)) // 2
    return torch.nn.functional.pad(window.double(), (before, fft - len(window) - before))
