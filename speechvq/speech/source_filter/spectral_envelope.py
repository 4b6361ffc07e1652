"""Power spectra, autocorrelations and all-pole filters.

Spectra are sampled at NUM_FREQS equally spaced frequencies from 0 to half the sample rate. Shapes: L spectra,
P filter order, M mel bands.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.audio.waveform import SAMPLE_RATE

NUM_FREQS = 129
NOISE_FLOOR = 1e-4  # relative; added to the autocorrelation at lag 0, so that the filter's poles stay stable


def all_pole_filter(power: Tensor, basis: Tensor) -> tuple[Tensor, Tensor]:
    """All-pole filter whose output, for white noise, has a given power spectrum.

    Args:
        power: (B, L, NUM_FREQS), relative to white noise of variance 1.
        basis: (NUM_FREQS, P + 1), see `autocorrelation_basis`.

    Returns:
        (B, L, P), filter taps, and (B, L), natural logarithm of the inverse scale of the Laplace density that
        has the excitation's variance.
    """
    correlation = power @ basis
    first = (1 + NOISE_FLOOR) * correlation[..., :1]
    taps, variance = levinson_durbin(torch.cat([first, correlation[..., 1:]], dim=-1))
    return taps, -0.5 * (variance / 2).log()


def levinson_durbin(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """Optimal linear prediction from autocorrelations (Levinson 1946, Durbin 1960).

    Args:
        correlation: (..., P + 1), at lags 0 to P.

    Returns:
        (..., P), taps of the predictor, that of the newest sample first, and (...), variance of the
        prediction error. The all-pole filter with these taps is stable.
    """
    taps, variance = correlation[..., :0], correlation[..., 0]
    for lag in range(1, correlation.shape[-1]):
        reflection = (correlation[..., lag] - (taps * correlation[..., 1:lag].flip(-1)).sum(-1)) / variance
        reflection = reflection.unsqueeze(-1)
        taps = torch.cat([taps - reflection * taps.flip(-1), reflection], dim=-1)
        variance = variance * (1 - reflection[..., 0].square())
    return taps, variance


def smooth_over_f0(power: Tensor, f0: Tensor) -> Tensor:
    """Average a spectrum over a sliding band as wide as F0, which removes the harmonics (after Morise 2015).

    Args:
        power: (B, L, NUM_FREQS).
        f0: (B, L), Hz.

    Returns:
        (B, L, NUM_FREQS).
    """
    edges = F.pad(power.cumsum(-1), (1, 0))  # edge j lies half a step below point j
    half = f0.unsqueeze(-1) * (NUM_FREQS - 1) / SAMPLE_RATE
    center = torch.arange(NUM_FREQS, device=power.device) + 0.5

    def integral(upper: Tensor) -> Tensor:
        low = upper.long().clamp_max(NUM_FREQS - 1)
        return torch.lerp(edges.gather(-1, low), edges.gather(-1, low + 1), upper - low)

    first, last = ((center + side * half).clamp(0, NUM_FREQS) for side in (-1, 1))
    return (integral(last) - integral(first)) / (last - first)


def mel_interpolation(centers: Tensor) -> Tensor:
    """Linear interpolation from mel bands to frequencies: centers (M,), Hz, to weights (M, NUM_FREQS)."""
    hertz = torch.linspace(0, SAMPLE_RATE / 2, NUM_FREQS).clamp(centers[0], centers[-1])
    right = torch.searchsorted(centers, hertz).clamp(1, len(centers) - 1)
    fraction = (hertz - centers[right - 1]) / (centers[right] - centers[right - 1])
    weights = torch.zeros(len(centers), NUM_FREQS)
    weights[right - 1, torch.arange(NUM_FREQS)] = 1 - fraction
    weights[right, torch.arange(NUM_FREQS)] = fraction
    return weights


def autocorrelation_basis(order: int) -> Tensor:
    """Matrix from power spectra to autocorrelations at lags 0 to P (trapezoidal rule): (NUM_FREQS, P + 1)."""
    weights = torch.full((NUM_FREQS, 1), 1 / (NUM_FREQS - 1))
    weights[0] = weights[-1] = 0.5 / (NUM_FREQS - 1)
    return weights * torch.cos(
        math.pi / (NUM_FREQS - 1) * torch.arange(NUM_FREQS)[:, None] * torch.arange(order + 1)
    )
