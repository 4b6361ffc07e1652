"""Harmonics and a filter, told by the codes: the part of a voice that needs no WaveNet.

x = h + n, where h is the sum of the harmonics of the voice's own cycle, and n an excitation through an all-pole filter.
Harmonics, filter and the excitation's size follow from codes, speaker and pitch, frame by frame (harmonic plus noise,
Stylianou 2001; filters within a network, Subramani et al. 2022; glottal phase as a condition after Wang et al. 2019).
The WaveNet then speaks the excitation, as in ExcitNet (Song et al. 2019), in classes of its size: loudness and formants
are the codes' affair, so they cannot drift however long it speaks by itself.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.phase import PARTS, UNVOICED
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import SourceFilterConfig
from speechvq.speech.contour import hold_unvoiced
from speechvq.speech.frame_network import FrameNetwork

BANDS, HIGHEST = 64, 7000.0  # points at which the harmonics' amplitudes are told, and the frequency of the last, Hz
LOUDEST = 16.0  # excitation of the outermost classes, in units of its size
SHARPEST = 8.0  # ln of the largest sharpness, 1 / 3e-4 of full scale
QUIET = 1e-4  # mean square of full scale below which a frame's harmonics do not matter
SPEED = 3.0  # Adam moves every weight alike; logarithms have further to go than others


class Told(NamedTuple):
    """What the codes tell of N frames."""

    taps: Tensor  # (B, N, P), weights of the last samples of n, the newest first
    sharpness: Tensor  # (B, N), ln of the inverse size of the excitation, of full scale
    level: Tensor  # (B, N), ln of the RMS
    harmonics: Tensor  # (B, N, 2 H), of full scale: cosines, then sines


class SourceFilter(nn.Module):
    """Between emphasised waveforms and classes of their excitation, both ways."""

    def __init__(self, config: SourceFilterConfig, dim: int, voice: int, levels: int) -> None:
        super().__init__()
        self.order, self.count = config.order, config.harmonics
        self.network = FrameNetwork(dim, voice, config.units, depth=3, pitch=config.harmonics > 0)
        self.tell = nn.Conv1d(config.units, config.order + 2, 1)
        self.voice = FrameNetwork(dim, voice, config.units, depth=3, pitch=config.harmonics > 0)
        self.envelope = nn.Conv1d(config.units, 2 * BANDS, 1)
        for layer in (self.tell, self.envelope):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.tell.bias[-2:-1], 3.0 / SPEED)
        nn.init.constant_(self.tell.bias[-1:], -3.0 / SPEED)
        sizes = LOUDEST * TAF.mu_law_decoding(torch.arange(levels), levels)
        self.register_buffer("sizes", sizes, persistent=False)
        self.register_buffer("log_widths", _log_widths(sizes), persistent=False)
        self.register_buffer("cycle", _cycle(config.harmonics), persistent=False)

    @property
    def reach(self) -> int:
        """Code frames on either side that a frame's harmonics and filter depend on."""
        return self.network.reach + 1

    def forward(
        self, vectors: Tensor, voices: Tensor, pitch: Tensor | None = None, frames: Tensor | None = None
    ) -> Told:
        """What the codes tell; arguments as of `FrameNetwork`."""
        told = SPEED * self.tell(self.network(vectors, voices, pitch, frames)).transpose(1, 2)
        level = told[..., -1]
        if pitch is None or not self.count:
            harmonics = vectors.new_zeros(*vectors.shape[:2], 2 * self.count)
        else:
            envelope = self.envelope(self.voice(vectors, voices, pitch, frames)).transpose(1, 2)
            harmonics = self._at_harmonics(envelope.unflatten(-1, (2, BANDS)), pitch)
            harmonics = harmonics * level.detach().exp().unsqueeze(-1)
        return Told(prediction_taps(told[..., :-2].tanh()), told[..., -2], level, harmonics)

    def _at_harmonics(self, envelope: Tensor, pitch: Tensor) -> Tensor:
        """Amplitudes at the multiples of the pitch: (B, N, 2, BANDS) and (B, N) to (B, N, 2 H)."""
        hertz = hold_unvoiced(pitch).unsqueeze(-1) * torch.arange(1, self.count + 1, device=pitch.device)
        place = (hertz / HIGHEST * (BANDS - 1)).clamp_max(BANDS - 1.001)
        low = place.long()
        both = low.unsqueeze(2).expand(-1, -1, 2, -1)
        values = torch.lerp(envelope.gather(3, both), envelope.gather(3, both + 1), (place - low).unsqueeze(2))
        return (values * (hertz < HIGHEST).unsqueeze(2)).flatten(2)

    def voiced(self, told: Told, pitch: Tensor, share: float) -> Told:
        """Give the harmonics a share of the noise's energy, in each band about one; nothing becomes louder.

        What the codes do not tell of the harmonics, their phases above all, is left to the noise, which has more of the
        energy than in a voice that is heard. This gives it back (our choice; for speaking, not for learning).

        Args:
            told: what the codes tell.
            pitch: (B, N), Hz, 0 where unvoiced; frames without pitch stay as they are.
            share: of the noise's energy, 0 to 1.
        """
        hertz = hold_unvoiced(pitch).unsqueeze(-1) * torch.arange(1, self.count + 1, device=pitch.device)
        turns = torch.arange(1, self.order + 1, device=pitch.device) / SAMPLE_RATE
        angle = -2 * math.pi * hertz.unsqueeze(-1) * turns
        poles = 1 - (told.taps.unsqueeze(2) * torch.polar(torch.ones_like(angle), angle)).sum(-1)
        # A Laplace density of size b has a variance of 2 b^2; a sine of amplitude a has a power of a^2 / 2.
        band = 8 * (-2 * told.sharpness).exp() * hold_unvoiced(pitch) / SAMPLE_RATE
        gained = share * band.unsqueeze(-1) / poles.abs().square() * (hertz < HIGHEST)
        pairs = told.harmonics.unflatten(-1, (2, self.count))
        power = pairs.square().sum(2)
        raised = pairs * ((power + gained) / power.clamp_min(1e-12)).sqrt().unsqueeze(2)
        harmonics = torch.where(pitch[..., None] > 0, raised.flatten(2), told.harmonics)
        quieter = told.sharpness - 0.5 * math.log(max(1 - share, 1e-6))
        return told._replace(harmonics=harmonics, sharpness=torch.where(pitch > 0, quieter, told.sharpness))

    def carrier(self, harmonics: Tensor, phase: Tensor) -> Tensor:
        """The harmonics' sum h, amplitudes on straight lines between the frames: (B, N, 2 H), (B, T) to (B, T)."""
        samples, frames = phase.shape[1], harmonics.shape[1]
        place = (torch.arange(samples, device=phase.device) + 0.5) * (frames / samples) - 0.5
        place = place.clamp(0, frames - 1)
        left = place.long()
        right, share = (left + 1).clamp_max(frames - 1), (place - left)[:, None]
        rows = F.embedding(phase.long(), self.cycle)
        one, other = (torch.einsum("bth,bth->bt", harmonics[:, each], rows) for each in (left, right))
        return torch.lerp(one, other, share[:, 0])

    def excitation(self, wave: Tensor, told: Told, carrier: Tensor) -> Tensor:
        """What the filter was fed with, in units of its size: emphasised (B, T) and h (B, T) to (B, T)."""
        noise = wave - carrier
        past = F.pad(noise, (self.order, 0)).unfold(1, self.order, 1)[:, : wave.shape[1]].flip(-1)
        hop = wave.shape[1] // told.taps.shape[1]
        predicted = torch.einsum("bnhp,bnp->bnh", past.unflatten(1, (-1, hop)), told.taps)
        innovation = noise.unflatten(1, (-1, hop)) - predicted
        return (innovation * told.sharpness.clamp_max(SHARPEST).exp().unsqueeze(-1)).flatten(1)

    def classes(self, excitation: Tensor) -> Tensor:
        """Classes of excitations: (B, T) to (B, T), int64."""
        return TAF.mu_law_encoding((excitation / LOUDEST).clamp(-1, 1), len(self.sizes))

    def log_density(self, classes: Tensor, told: Told) -> Tensor:
        """What to add to ln p(class) for ln p(sample), of full scale: (B, T) to (B, T)."""
        sharpness = told.sharpness.clamp_max(SHARPEST).repeat_interleave(classes.shape[1] // told.taps.shape[1], dim=1)
        return sharpness - self.log_widths[classes]

    def losses(self, wave: Tensor, told: Told, carrier: Tensor, phase: Tensor | None) -> Tensor:
        """What teaches harmonics, filter and level: the sum of three terms, ().

        -ln of a Laplace density of the excitation, a sample; the mean share of a voiced frame's energy that its
        harmonics leave; the mean square error of ln of a frame's RMS. The likelihood alone would not teach the
        harmonics: of the next sample, the last ones tell nearly as much.
        """
        frames = told.taps.shape[1]
        excitation = self.excitation(wave, told, carrier.detach()).abs()
        laplace = excitation.mean() - told.sharpness.clamp_max(SHARPEST).mean()
        energy = wave.square().unflatten(1, (frames, -1)).mean(-1)
        level = (told.level - 0.5 * (energy + QUIET).log()).square().mean()
        if phase is None or not self.count:
            return laplace + level
        left = (wave - carrier).square().unflatten(1, (frames, -1)).mean(-1) / (energy + QUIET)
        voiced = (phase != UNVOICED).float().unflatten(1, (frames, -1)).mean(-1)
        return laplace + level + (left * voiced).sum() / voiced.sum().clamp_min(1.0)


def prediction_taps(reflections: Tensor) -> Tensor:
    """Weights of a stable all-pole filter from reflection coefficients in (-1, 1), both (..., P): Levinson's step up."""
    taps = reflections[..., :0]
    for i in range(reflections.shape[-1]):
        own = reflections[..., i : i + 1]
        taps = torch.cat([taps - own * taps.flip(-1), own], dim=-1)
    return taps


def _cycle(harmonics: int) -> Tensor:
    """Cosines and sines of each part of a cycle, (1 + PARTS, 2 H); zeros for no cycle."""
    angle = 2 * math.pi * (torch.arange(PARTS) + 0.5)[:, None] / PARTS * torch.arange(1, harmonics + 1)
    return torch.cat([torch.zeros(1, 2 * harmonics), torch.cat([angle.cos(), angle.sin()], dim=1)])


def _log_widths(centres: Tensor) -> Tensor:
    """ln of how much of the line is nearest to each of some rising points: (n,) to (n,)."""
    edges = torch.cat([centres[:1], (centres[1:] + centres[:-1]) / 2, centres[-1:]])
    return (edges[1:] - edges[:-1]).log()
