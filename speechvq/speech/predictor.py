"""Linear prediction as a first guess that the WaveNet corrects: formants and voicing in minutes instead of days."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.config import WaveNetConfig

SHARPEST = 8.0  # ln of the largest sharpness, 1 / 3e-4 of full scale
SPEED = 10.0  # Adam moves every parameter alike; the taps' weights are of size one and have far to go
FIRST_SHARPNESS = 3.0  # ln; a spread of 0.05 of full scale
PAST = 512  # samples kept for it when sampling: more than the longest pitch period, 320, and its taps


class Guess(NamedTuple):
    """A Laplace density over the next sample, before the WaveNet had its say."""

    centre: Tensor  # (B, T), of full scale
    log_sharpness: Tensor  # (B, T), ln of the inverse spread


class LinearPredictor(nn.Module):
    """Adds to the logits those of a Laplace density around a linear prediction from past samples (our choice).

    Short taps look at the last samples, as in LPC; their weights follow from the codes, frame by frame, and are
    learnt with everything else (Subramani et al. 2022, "End-to-end LPCNet"). Long taps look around the sample one
    pitch period ago (Wu et al. 2019, "Quasi-periodic WaveNet"). The WaveNet moves the centre and the spread, and its
    own logits say the rest; with no taps it is the plain softmax.
    """

    def __init__(self, config: WaveNetConfig) -> None:
        super().__init__()
        self.short, self.long = config.short_taps, config.long_taps
        self.project = nn.Conv1d(config.condition, self.short + self.long + 1, 1)
        self.refine = nn.Linear(config.hidden, 2)
        for layer in (self.project, self.refine):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.project.bias[-1:], FIRST_SHARPNESS / SPEED)
        centres = TAF.mu_law_decoding(torch.arange(config.levels), config.levels)
        edges = torch.cat([centres[:1], (centres[1:] + centres[:-1]) / 2, centres[-1:]])
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("log_widths", (edges[1:] - edges[:-1]).log(), persistent=False)

    def weights(self, features: Tensor) -> Tensor:
        """Weights of the taps and ln of the sharpness in each code frame: (B, C, N) to (B, taps + 1, N)."""
        return SPEED * self.project(features)

    def forward(self, before: Tensor, features: Tensor, hidden: Tensor, lags: Tensor | None) -> Tensor:
        """What to add to the logits.

        Args:
            before: (B, T), int64, the level before each sample.
            features: (B, C, N), of the conditioning; T is a multiple of N.
            hidden: (B, T, hidden), the WaveNet's last units.
            lags: (B, T), int64, pitch periods in samples; needed for long taps.

        Returns:
            (B, T, levels).
        """
        weights = self.weights(features)
        windows = self._windows(self.centres[before], lags)
        frames = windows.unflatten(1, (features.shape[-1], -1))
        centre = torch.einsum("bnhp,bpn->bnh", frames, weights[:, :-1]).flatten(1)
        base = weights[:, -1].repeat_interleave(frames.shape[2], dim=1)
        return self.logits(Guess(centre, base), hidden)

    def logits(self, guess: Guess, hidden: Tensor) -> Tensor:
        """ln of the refined density in each level, up to a constant: (B, T, levels)."""
        shift, log_scale = self.refine(hidden).unbind(-1)
        sharpness = (guess.log_sharpness + log_scale).clamp_max(SHARPEST).exp()
        centre = guess.centre + shift / sharpness
        return self.log_widths - (self.centres - centre.unsqueeze(-1)).abs() * sharpness.unsqueeze(-1)

    def _windows(self, past: Tensor, lags: Tensor | None) -> Tensor:
        """The samples each prediction is made from: (B, T) of the samples before to (B, T, short + long)."""
        windows = F.pad(past, (self.short - 1, 0)).unfold(1, self.short, 1)
        if not self.long:
            return windows
        assert lags is not None, "long taps need a pitch contour"
        reach = self.long // 2
        offsets = torch.arange(-reach, self.long - reach, device=past.device)
        # past[t] is sample t - 1, so sample t - lag + j is past[t + 1 - lag + j].
        places = torch.arange(1, past.shape[1] + 1, device=past.device)[:, None] - lags.unsqueeze(-1) + offsets
        longer = past.gather(1, places.clamp_min(0).flatten(1)).view(places.shape)
        return torch.cat([windows, longer * (places >= 0)], dim=-1)
