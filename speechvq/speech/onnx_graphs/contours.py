"""F0 contours and the phase of the glottal cycle as tensors, for batches of rows of different lengths."""

import torch
from torch import Tensor

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.glottal_phase import NUM_PHASE_BINS
from speechvq.audio.waveform import SAMPLE_RATE


def interpolate_voiced(f0: Tensor, position: Tensor) -> Tensor:
    """F0 at any position, linear between voiced frames, constant before the first and after the last.

    As `numpy.interp` over the voiced frames of each row.

    Args:
        f0: (B, F), Hz, 0 where unvoiced.
        position: (n,), in frames.

    Returns:
        (B, n), float64; 0 in a row without voiced frames.
    """
    voiced = f0 > 0
    count = voiced.long().cumsum(1)  # voiced frames so far; the j-th one goes to slot j, all others to 0
    slot, frames = torch.where(voiced, count, 0), torch.arange(f0.shape[1]).expand_as(count)
    empty = torch.cat([torch.zeros_like(f0[:, :1]), torch.zeros_like(f0)], dim=1).double()
    values = empty.scatter(1, slot, f0.double())
    places = empty.scatter(1, slot, (frames * voiced).double())
    position = position.double().clamp_min(0.0)
    before = count[:, position.long().clamp_max(f0.shape[1] - 1)]
    left = before.clamp_min(1)
    right = torch.minimum(before + 1, count[:, -1:]).clamp_min(1)
    distance = places.gather(1, right) - places.gather(1, left)
    weight = ((position - places.gather(1, left)) / distance.clamp_min(1.0)).clamp(0.0, 1.0)
    return torch.lerp(values.gather(1, left), values.gather(1, right), weight * (distance > 0))


def phase_bins_of_f0(f0: Tensor, frames: Tensor, samples: int) -> Tensor:
    """Phase bins of a synthetic voice, see `glottal_phase.phase_from_f0`.

    Args:
        f0: (B, F), Hz, 0 where unvoiced and after the end of a row.
        frames: (B,), int64, frames of each row.
        samples: T.

    Returns:
        (B, T), int64.
    """
    time = torch.arange(samples)
    cycles = (interpolate_voiced(f0, time.double() / F0_HOP) / SAMPLE_RATE).cumsum(1)
    bins = ((cycles - cycles.floor()) * NUM_PHASE_BINS).floor().long().clamp(0, NUM_PHASE_BINS - 1)
    nearest = torch.minimum(((time + F0_HOP // 2) // F0_HOP)[None], frames[:, None] - 1)
    return torch.where(f0.gather(1, nearest) > 0, 1 + bins, 0)


def f0_of_codes(f0: Tensor, frames: Tensor, num_codes: int, hop: int) -> Tensor:
    """F0 nearest to the center of each code frame, see `f0_conditioning.f0_at_code_rate`.

    Args:
        f0: (B, F), Hz, 10 ms apart.
        frames: (B,), int64, frames of each row.
        num_codes: N.
        hop: samples per code.

    Returns:
        (B, N).
    """
    index = ((torch.arange(num_codes) + 0.5) * hop / F0_HOP).round().long()
    return f0.gather(1, torch.minimum(index[None], frames[:, None] - 1))
