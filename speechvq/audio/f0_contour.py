"""A pitch contour as the decoder is told it: one value a code frame."""

import numpy as np
import torch
from torch import Tensor

from speechvq.audio.f0 import HOP

MIDDLE = 150.0  # Hz; the feature is octaves from here


def at_code_rate(pitch: Tensor, frames: int, hop: int) -> Tensor:
    """The value nearest to each code frame's centre: (B, F), 10 ms apart, to (B, N)."""
    place = ((torch.arange(frames, device=pitch.device) + 0.5) * hop / HOP).round().long()
    return pitch[:, place.clamp_max(pitch.shape[1] - 1)]


def at_frames(pitch: np.ndarray, hop: int) -> np.ndarray:
    """A contour at the code rate (N,) as one of frames 10 ms apart, straight lines through voiced codes: (F,)."""
    centres = (np.arange(-(-len(pitch) * hop // HOP)) + 0.5) * HOP / hop
    voiced = np.flatnonzero(pitch > 0)
    if not len(voiced):
        return np.zeros(len(centres), np.float32)
    nearest = np.minimum(centres.astype(int), len(pitch) - 1)
    between = np.interp(centres - 0.5, voiced, pitch[voiced])
    return np.where(pitch[nearest] > 0, between, 0.0).astype(np.float32)


def pitch_features(pitch: Tensor) -> Tensor:
    """Octaves from 150 Hz, held where unvoiced, and whether it is voiced: (B, N) in Hz to (B, 2, N)."""
    return torch.stack([(hold_unvoiced(pitch) / MIDDLE).log2(), (pitch > 0).float()], dim=1)


def hold_unvoiced(pitch: Tensor) -> Tensor:
    """Fill zeros with the last value before them, else the first after them, else 150 Hz: (B, N) to (B, N)."""
    frames = torch.arange(pitch.shape[1], device=pitch.device).expand_as(pitch)
    last = torch.where(pitch > 0, frames, -1).cummax(1).values
    first = torch.where(pitch > 0, frames, pitch.shape[1] - 1).amin(1, keepdim=True)
    held = pitch.gather(1, torch.where(last < 0, first, last))
    return torch.where(held > 0, held, MIDDLE)


def mean_pitch(pitch: np.ndarray) -> float:
    """Geometric mean of the voiced frames, Hz; 0 where none is voiced: (F,) to a number."""
    voiced = pitch[pitch > 0]
    return float(np.exp(np.log(voiced).mean())) if len(voiced) else 0.0


def shift_pitch(pitch: np.ndarray, target: float) -> np.ndarray:
    """Move a contour's mean to another voice's, `target` in Hz: (F,) to (F,); zeros stay.

    Only the middle moves; how lively the sentence is stays the source's.
    """
    mean = mean_pitch(pitch)
    return pitch * np.float32(target / mean) if mean > 0 and target > 0 else pitch
