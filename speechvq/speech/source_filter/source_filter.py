"""Harmonics and a filter, told by the codes: the part of a voice that needs no WaveNet.

The codes tell a log-mel spectrum, frame by frame, and how much of it, at each frequency, is the voice's own cycle and
with which phase. From both follow, without further weights,

    x = h + n

where h is the sum of the harmonics of the cycle, and n an excitation through an all-pole filter that has what h leaves
of the spectrum (harmonic plus noise, Stylianou 2001; filters from mel spectra, Valin and Skoglund 2019; glottal phase
as a condition after Wang et al. 2019). The WaveNet then speaks the excitation, as in ExcitNet (Song et al. 2019), in
classes of its size: loudness and formants are the codes' affair, so they cannot drift however long it speaks by itself.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
import torchaudio.functional as TAF
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import fill_unvoiced
from speechvq.audio.glottal_phase import NUM_PHASE_BINS, UNVOICED
from speechvq.audio.mel import LogMel, band_centers
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import SourceFilterConfig
from speechvq.speech.encoder.encoder import UNIT_SCALE
from speechvq.speech.source_filter.frame_network import FrameNetwork

FRAME = 160  # samples: spectra are told 10 ms apart where a code lasts as long or a multiple of it, else one a code
POINTS = 129  # frequencies from 0 to 8 kHz at which a spectrum's shares are told
HIGHEST = 7000.0  # Hz; there are no harmonics above
LOUDEST = 16.0  # excitation of the outermost classes, in units of its size
SPREAD = 2.0  # about the deviation of a band's ln of the energy over time
FLOOR = 1e-4  # of the noise's power, added in all directions: keeps the filter's poles off the circle
QUIET = 1e-4  # mean square of full scale below which a frame's harmonics do not matter


class Told(NamedTuple):
    """What the codes tell of L spectra."""

    bands: Tensor  # (B, L, M), ln of the energies in mel bands, at the encoder's scale
    taps: Tensor  # (B, L, P), weights of the last samples of n, the newest first
    sharpness: Tensor  # (B, L), ln of the inverse size of the excitation, of full scale
    harmonics: Tensor  # (B, L, 2 H), of full scale: cosines, then sines


class SourceFilter(nn.Module):
    """Between emphasised waveforms and classes of their excitation, both ways."""

    def __init__(self, config: SourceFilterConfig, dim: int, voice: int, levels: int, hop: int) -> None:
        super().__init__()
        self.order, self.count = config.order, config.harmonics
        self.parts = hop // FRAME if hop % FRAME == 0 else 1  # spectra a code
        pitch = config.harmonics > 0
        self.spectrum = LogMel(config.bands, hop // self.parts)
        self.network = FrameNetwork(dim, voice, config.units, depth=config.depth, pitch=pitch)
        self.tell = nn.Conv1d(config.units, config.bands, 1)
        self.voice = FrameNetwork(dim, voice, config.units, depth=config.depth, pitch=pitch)
        self.share = nn.Conv1d(config.units, 2 * POINTS, 1)
        # The mean of logarithms is below the logarithm of the mean, by another amount in every band.
        self.raised = nn.Parameter(torch.zeros(config.bands))
        for layer in (self.tell, self.share):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(self.tell.bias, -3.0 / SPREAD)  # faint, so that at first no harmonics drown a pause
        sizes = LOUDEST * TAF.mu_law_decoding(torch.arange(levels), levels)
        self.register_buffer("sizes", sizes, persistent=False)
        self.register_buffer("log_widths", _log_widths(sizes), persistent=False)
        self.register_buffer("cycle", _cycle(config.harmonics), persistent=False)
        self.register_buffer("between", _between(band_centers(config.bands)), persistent=False)
        self.register_buffer("cosines", _cosines(config.order), persistent=False)

    @property
    def reach(self) -> int:
        """Codes on either side that a code's spectra depend on."""
        return -(-(self.network.reach + 1) // self.parts)

    def forward(
        self,
        vectors: Tensor,
        voices: Tensor,
        pitch: Tensor | None = None,
        frames: Tensor | None = None,
        voicing: float = 0.0,
    ) -> Told:
        """What the codes tell.

        Args:
            vectors, voices, pitch, frames: as of `FrameNetwork`, (B, N, ...) for N codes.
            voicing: share of the noise's energy, 0 to 1, that the harmonics of voiced frames are given; nothing becomes
                louder. What the codes do not tell of the harmonics, their phases above all, is left to the noise, which
                has more of the energy than in a voice that is heard. For speaking, not for learning (our choice).

        Returns:
            Of L = N x `parts` spectra.
        """
        inputs = self._at_spectra(vectors, voices, pitch, frames)
        bands, pitch = self._bands(*inputs), inputs[2]
        power = (
            (bands.detach() + self.raised) @ self.between
        ).exp() / UNIT_SCALE**2  # of white noise as loud
        if pitch is None or not self.count:
            return Told(
                bands, *_filter(power, self.cosines), bands.new_zeros(*bands.shape[:2], 2 * self.count)
            )
        power = torch.where(pitch[..., None] > 0, over_a_pitch(power, fill_unvoiced(pitch)), power)
        share = self.share(self.voice(*inputs)).transpose(1, 2).unflatten(-1, (2, POINTS))
        share = share / (1 + share.square().sum(2, keepdim=True)).sqrt()
        share = share * (torch.arange(POINTS, device=share.device) * 8000 / (POINTS - 1) < HIGHEST)
        if voicing > 0:
            own = share.square().sum(2, keepdim=True)
            share = share * ((own + voicing * (1 - own)) / own.clamp_min(1e-6)).sqrt()
        left = 1 - share.square().sum(2) * (pitch > 0).unsqueeze(-1)
        taps, sharpness = _filter(power * left.detach().clamp_min(FLOOR), self.cosines)
        return Told(bands, taps, sharpness, self._at_harmonics(share, power.detach(), pitch))

    def bands(self, vectors: Tensor, voices: Tensor, pitch: Tensor | None = None) -> Tensor:
        """The spectra alone, (B, L, M); arguments as of `forward`."""
        return self._bands(*self._at_spectra(vectors, voices, pitch, None))

    def _bands(self, *inputs: Tensor | None) -> Tensor:
        return SPREAD * self.tell(self.network(*inputs)).transpose(1, 2)

    def _at_spectra(
        self, vectors: Tensor, voices: Tensor, pitch: Tensor | None, frames: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Arguments of the networks, for every spectrum those of its code."""
        pitch = None if pitch is None else pitch.repeat_interleave(self.parts, 1)
        frames = None if frames is None else frames * self.parts
        return vectors.repeat_interleave(self.parts, 1), voices, pitch, frames

    def part(self, told: Told, codes: slice) -> Told:
        """What is told in some codes."""
        return Told(*(each[:, codes.start * self.parts : codes.stop * self.parts] for each in told))

    def _at_harmonics(self, share: Tensor, power: Tensor, pitch: Tensor) -> Tensor:
        """Amplitudes at the multiples of the pitch: (B, L, 2, POINTS), (B, L, POINTS), (B, L) to (B, L, 2 H)."""
        base = fill_unvoiced(pitch).unsqueeze(-1)
        hertz = base * torch.arange(1, self.count + 1, device=pitch.device)
        place = (hertz * (POINTS - 1) / (SAMPLE_RATE / 2)).clamp_max(POINTS - 1.001)
        low = place.long()
        values = torch.cat([share, power.unsqueeze(2)], dim=2)
        both = low.unsqueeze(2).expand(-1, -1, 3, -1)
        values = torch.lerp(values.gather(3, both), values.gather(3, both + 1), (place - low).unsqueeze(2))
        # A sine of amplitude a has a power of a^2 / 2, and stands for a band about it as wide as the pitch.
        amplitude = (2 * values[:, :, 2] * base / (SAMPLE_RATE / 2)).sqrt() * (hertz < HIGHEST)
        return (values[:, :, :2] * amplitude.unsqueeze(2)).flatten(2)

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
        return (innovation * told.sharpness.exp().unsqueeze(-1)).flatten(1)

    def classes(self, excitation: Tensor) -> Tensor:
        """Classes of excitations: (B, T) to (B, T), int64."""
        return TAF.mu_law_encoding((excitation / LOUDEST).clamp(-1, 1), len(self.sizes))

    def log_density(self, classes: Tensor, told: Told) -> Tensor:
        """What to add to ln p(class) for ln p(sample), of full scale: (B, T) to (B, T)."""
        sharpness = told.sharpness.repeat_interleave(classes.shape[1] // told.taps.shape[1], dim=1)
        return sharpness - self.log_widths[classes]

    def spectral_loss(self, wave: Tensor, bands: Tensor) -> Tensor:
        """What teaches the spectra, (): mean square error of the bands of an emphasised wave (B, T), in SPREADs."""
        return ((bands - self.spectrum(UNIT_SCALE * wave)) / SPREAD).square().mean()

    def source_loss(self, wave: Tensor, told: Told, carrier: Tensor, phase: Tensor | None) -> Tensor:
        """What teaches the harmonics and the excitation's size: the sum of two terms, ().

        -ln of a Laplace density of the excitation, a sample, which moves nothing but `raised`; and the mean share of a
        voiced frame's energy that its harmonics leave. The likelihood would not teach the harmonics: of the next
        sample, the last ones tell nearly as much.
        """
        laplace = self.excitation(wave, told, carrier.detach()).abs().mean() - told.sharpness.mean()
        if phase is None or not self.count:
            return laplace
        frames = told.taps.shape[1]
        # What is told too loud counts as loud: else at first a faint frame would weigh a hundred times a loud one.
        energy = (wave.square() + carrier.detach().square()).unflatten(1, (frames, -1)).mean(-1) + QUIET
        left = (wave - carrier).square().unflatten(1, (frames, -1)).mean(-1) / energy
        voiced = (phase != UNVOICED).float().unflatten(1, (frames, -1)).mean(-1)
        return laplace + (left * voiced).sum() / voiced.sum().clamp_min(1.0)


def _filter(power: Tensor, cosines: Tensor) -> tuple[Tensor, Tensor]:
    """The all-pole filter that noise of a spectrum has, and its excitation's sharpness.

    Args:
        power: (B, L, POINTS), of white noise as loud.
        cosines: (POINTS, P + 1).

    Returns:
        (B, L, P) taps, and (B, L), ln of the inverse size of a Laplace density with the excitation's variance.
    """
    correlation = power @ cosines
    first = (1 + FLOOR) * correlation[..., :1]
    taps, left = levinson(torch.cat([first, correlation[..., 1:]], dim=-1))
    return taps, -0.5 * (left / 2).log()


def over_a_pitch(power: Tensor, pitch: Tensor) -> Tensor:
    """Means of a spectrum over bands as wide as the pitch, in which its harmonics are no more seen (after Morise 2015).

    Args:
        power: (B, L, POINTS).
        pitch: (B, L), Hz.

    Returns:
        (B, L, POINTS).
    """
    edges = F.pad(power.cumsum(-1), (1, 0))  # edge j lies half a step below point j
    half = pitch.unsqueeze(-1) * (POINTS - 1) / SAMPLE_RATE
    middle = torch.arange(POINTS, device=power.device) + 0.5

    def up_to(place: Tensor) -> Tensor:
        low = place.long().clamp_max(POINTS - 1)
        return torch.lerp(edges.gather(-1, low), edges.gather(-1, low + 1), place - low)

    first, last = ((middle + side * half).clamp(0, POINTS) for side in (-1, 1))
    return (up_to(last) - up_to(first)) / (last - first)


def levinson(correlation: Tensor) -> tuple[Tensor, Tensor]:
    """The taps that predict best, by autocorrelations, and the variance that they leave (Levinson 1946, Durbin 1960).

    Args:
        correlation: (..., P + 1), of lags 0 to P.

    Returns:
        (..., P), of a stable filter, the newest sample's first; and (...).
    """
    taps, left = correlation[..., :0], correlation[..., 0]
    for lag in range(1, correlation.shape[-1]):
        own = (correlation[..., lag] - (taps * correlation[..., 1:lag].flip(-1)).sum(-1)) / left
        own = own.unsqueeze(-1)
        taps = torch.cat([taps - own * taps.flip(-1), own], dim=-1)
        left = left * (1 - own[..., 0].square())
    return taps, left


def _between(centres: Tensor) -> Tensor:
    """Weights of the bands at each frequency, straight lines between their centres: (M,), Hz, to (M, POINTS)."""
    hertz = torch.linspace(0, SAMPLE_RATE / 2, POINTS).clamp(centres[0], centres[-1])
    right = torch.searchsorted(centres, hertz).clamp(1, len(centres) - 1)
    share = (hertz - centres[right - 1]) / (centres[right] - centres[right - 1])
    weights = torch.zeros(len(centres), POINTS)
    weights[right - 1, torch.arange(POINTS)] = 1 - share
    weights[right, torch.arange(POINTS)] = share
    return weights


def _cosines(order: int) -> Tensor:
    """What makes autocorrelations of power spectra, by the trapezoidal rule: (POINTS, P + 1)."""
    weights = torch.full((POINTS, 1), 1 / (POINTS - 1))
    weights[0] = weights[-1] = 0.5 / (POINTS - 1)
    return weights * torch.cos(
        math.pi / (POINTS - 1) * torch.arange(POINTS)[:, None] * torch.arange(order + 1)
    )


def _cycle(harmonics: int) -> Tensor:
    """Cosines and sines of each part of a cycle, (1 + PARTS, 2 H); zeros for no cycle."""
    angle = (
        2
        * math.pi
        * (torch.arange(NUM_PHASE_BINS) + 0.5)[:, None]
        / NUM_PHASE_BINS
        * torch.arange(1, harmonics + 1)
    )
    return torch.cat([torch.zeros(1, 2 * harmonics), torch.cat([angle.cos(), angle.sin()], dim=1)])


def _log_widths(centres: Tensor) -> Tensor:
    """ln of how much of the line is nearest to each of some rising points: (n,) to (n,)."""
    edges = torch.cat([centres[:1], (centres[1:] + centres[:-1]) / 2, centres[-1:]])
    return (edges[1:] - edges[:-1]).log()
