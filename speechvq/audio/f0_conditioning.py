"""A pitch contour as the decoder is told it: one value a code frame."""

import numpy as np
import torch
from torch import Tensor

from speechvq.audio.f0 import F0_HOP

REFERENCE_F0 = 150.0  # Hz; the feature is octaves from here


def f0_at_code_rate(pitch: Tensor, frames: int, hop: int) -> Tensor:
    """The value nearest to each code frame's centre: (B, F), 10 ms apart, to (B, N)."""
    place = ((torch.arange(frames, device=pitch.device) + 0.5) * hop / F0_HOP).round().long()
    return pitch[:, place.clamp_max(pitch.shape[1] - 1)]


def f0_at_frame_rate(pitch: np.ndarray, hop: int) -> np.ndarray:
    """A contour at the code rate (N,) as one of frames 10 ms apart, straight lines through voiced codes: (F,)."""
    centres = (np.arange(-(-len(pitch) * hop // F0_HOP)) + 0.5) * F0_HOP / hop
    voiced = np.flatnonzero(pitch > 0)
    if not len(voiced):
        return np.zeros(len(centres), np.float32)
    nearest = np.minimum(centres.astype(int), len(pitch) - 1)
    between = np.interp(centres - 0.5, voiced, pitch[voiced])
    return np.where(pitch[nearest] > 0, between, 0.0).astype(np.float32)


def f0_features(pitch: Tensor) -> Tensor:
    """Octaves from 150 Hz, held where unvoiced, and whether it is voiced: (B, N) in Hz to (B, 2, N)."""
    return torch.stack([(fill_unvoiced(pitch) / REFERENCE_F0).log2(), (pitch > 0).float()], dim=1)


def fill_unvoiced(pitch: Tensor) -> Tensor:
    """Fill zeros with the last value before them, else the first after them, else 150 Hz: (B, N) to (B, N)."""
    frames = torch.arange(pitch.shape[1], device=pitch.device).expand_as(pitch)
    last = torch.where(pitch > 0, frames, -1).cummax(1).values
    first = torch.where(pitch > 0, frames, pitch.shape[1] - 1).amin(1, keepdim=True)
    held = pitch.gather(1, torch.where(last < 0, first, last))
    return torch.where(held > 0, held, REFERENCE_F0)


def mean_f0(pitch: np.ndarray) -> float:
    """Geometric mean of the voiced frames, Hz; 0 where none is voiced: (F,) to a number."""
    voiced = pitch[pitch > 0]
    return float(np.exp(np.log(voiced).mean())) if len(voiced) else 0.0


def shift_f0(pitch: np.ndarray, target: float) -> np.ndarray:
    """Move a contour's mean to another voice's, `target` in Hz: (F,) to (F,); zeros stay.

    Only the middle moves; how lively the sentence is stays the source's.
    """
    mean = mean_f0(pitch)
    return pitch * np.float32(target / mean) if mean > 0 and target > 0 else pitch
