"""F0 contours as conditioning of networks: input features, and conversion between frame and code rate."""

import numpy as np
import torch
from torch import Tensor

from speechvq.audio.f0 import F0_HOP

REFERENCE_F0 = 150.0  # Hz; the F0 feature counts octaves from here


def f0_at_code_rate(f0: Tensor, frames: int, hop: int) -> Tensor:
    """F0 nearest to the center of each code frame: (B, F), 10 ms apart, to (B, N).

    Args:
        f0: (B, F), Hz, 0 where unvoiced.
        frames: N, number of code frames.
        hop: samples per code frame.
    """
    index = ((torch.arange(frames, device=f0.device) + 0.5) * hop / F0_HOP).round().long()
    return f0[:, index.clamp_max(f0.shape[1] - 1)]


def f0_at_frame_rate(f0: np.ndarray, hop: int) -> np.ndarray:
    """F0 contour with frames 10 ms apart from one at the code rate: (N,) to (F,), Hz, 0 where unvoiced.

    Values between voiced code frames are interpolated linearly.
    """
    centers = (np.arange(-(-len(f0) * hop // F0_HOP)) + 0.5) * F0_HOP / hop
    voiced = np.flatnonzero(f0 > 0)
    if not len(voiced):
        return np.zeros(len(centers), np.float32)
    nearest = np.minimum(centers.astype(int), len(f0) - 1)
    interpolated = np.interp(centers - 0.5, voiced, f0[voiced])
    return np.where(f0[nearest] > 0, interpolated, 0.0).astype(np.float32)


def f0_features(f0: Tensor) -> Tensor:
    """Octaves above 150 Hz, with unvoiced frames filled, and the voicing flag: (B, N), Hz, to (B, 2, N)."""
    return torch.stack([(fill_unvoiced(f0) / REFERENCE_F0).log2(), (f0 > 0).float()], dim=1)


def fill_unvoiced(f0: Tensor) -> Tensor:
    """Fill zeros with the last voiced value, else the first one after, else 150 Hz: (B, N) to (B, N)."""
    voiced = f0 > 0
    # The j-th voiced value goes to slot j, and all zeros to slot 0. ONNX has no running maximum of indices.
    count = voiced.long().cumsum(1)
    slots = torch.zeros_like(torch.cat([f0[:, :1], f0], dim=1))
    filled = slots.scatter(1, torch.where(voiced, count, 0), f0).gather(1, count.clamp_min(1))
    return torch.where(filled > 0, filled, REFERENCE_F0)
