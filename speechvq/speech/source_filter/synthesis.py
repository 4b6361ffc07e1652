"""Synthesis by the source-filter model: any excitation through the filter, and noise as the excitation."""

import numpy as np
import torch
from torch import Tensor

from speechvq.speech.source_filter.source_filter import SourceFilter, SourceFilterParams


def filter_excitation(excitation: Tensor, params: SourceFilterParams, past_outputs: np.ndarray) -> Tensor:
    """Scale an excitation and filter it.

    Args:
        excitation: (B, T), relative to the scale of each spectrum.
        params: of L spectra, T a multiple of L.
        past_outputs: (B, P), float64, the outputs before, the newest first; updated.

    Returns:
        (B, T), float32, pre-emphasized.
    """
    from speechvq.speech.sampling.all_pole import all_pole  # numba takes a second to import

    step = excitation.shape[1] // params.taps.shape[1]
    scale = (-params.log_inv_scale).exp().repeat_interleave(step, dim=1)
    outputs = (excitation * scale).double().cpu().numpy()
    taps = np.ascontiguousarray(params.taps.double().cpu().numpy())
    for output, weights, past in zip(outputs, taps, past_outputs):
        all_pole(output, weights, past, step)
    return torch.from_numpy(outputs).float().to(excitation.device)


def laplace(uniforms: Tensor) -> Tensor:
    """Random numbers of a Laplace density of scale 1 from uniform ones in [0, 1)."""
    # The least uniform number would give an infinite one; torch.rand draws 0 once in 2^24.
    least = max(1e-12, torch.finfo(uniforms.dtype).eps / 4)
    centered = (uniforms - 0.5).clamp_min(-0.5 + least)
    return -centered.sign() * torch.log1p(-2 * centered.abs())


@torch.no_grad()
def synthesize_from_noise(
    model: SourceFilter, params: SourceFilterParams, uniforms: Tensor, phase: Tensor
) -> Tensor:
    """Harmonics plus filtered Laplace noise, from silence.

    Args:
        model: the source-filter model.
        params: of L spectra.
        uniforms: (B, T), random numbers in [0, 1), T a multiple of L.
        phase: (B, T), phase bins.

    Returns:
        (B, T), pre-emphasized.
    """
    noise = filter_excitation(laplace(uniforms), params, np.zeros((len(uniforms), model.order)))
    return noise + model.harmonic_signal(params.harmonics, phase)
