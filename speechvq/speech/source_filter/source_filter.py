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
from speechvq.speech.encoder.encoder import INPUT_GAIN
from speechvq.speech.source_filter.frame_network import FrameNetwork

FRAME_SAMPLES = 160  # samples: spectra are told 10 ms apart where a code lasts as long or a multiple of it, else one a code
NUM_FREQS = 129  # frequencies from 0 to 8 kHz at which a spectrum's shares are told
MAX_HARMONIC_HZ = 7000.0  # Hz; there are no harmonics above
MAX_EXCITATION = 16.0  # excitation of the outermost classes, in units of its size
LOG_MEL_SCALE = 2.0  # about the deviation of a band's ln of the energy over time
NOISE_FLOOR = 1e-4  # of the noise's power, added in all directions: keeps the filter's poles off the circle
ENERGY_FLOOR = 1e-4  # mean square of full scale below which a frame's harmonics do not matter


class SourceFilterParams(NamedTuple):
    """What the codes tell of L spectra."""

    log_mel: Tensor  # (B, L, M), ln of the energies in mel bands, at the encoder's scale
    taps: Tensor  # (B, L, P), weights of the last samples of n, the newest first
    log_inv_scale: Tensor  # (B, L), ln of the inverse size of the excitation, of full scale
    harmonics: Tensor  # (B, L, 2 H), of full scale: cosines, then sines


class SourceFilter(nn.Module):
    """Between emphasised waveforms and classes of their excitation, both ways."""

    def __init__(
        self, config: SourceFilterConfig, dim: int, speaker_dim: int, num_classes: int, hop: int
    ) -> None:
        super().__init__()
        self.order, self.num_harmonics = config.filter_order, config.num_harmonics
        self.frames_per_code = hop // FRAME_SAMPLES if hop % FRAME_SAMPLES == 0 else 1  # spectra a code
        pitch = config.num_harmonics > 0
        self.spectrum = LogMel(config.mel_bands, hop // self.frames_per_code)
        self.mel_network = FrameNetwork(dim, speaker_dim, config.channels, depth=config.depth, pitch=pitch)
        self.mel_head = nn.Conv1d(config.channels, config.mel_bands, 1)
        self.harmonic_network = FrameNetwork(
            dim, speaker_dim, config.channels, depth=config.depth, pitch=pitch
        )
        self.harmonic_head = nn.Conv1d(config.channels, 2 * NUM_FREQS, 1)
        # The mean of logarithms is below the logarithm of the mean, by another amount in every band.
        self.log_bias = nn.Parameter(torch.zeros(config.mel_bands))
        for layer in (self.mel_head, self.harmonic_head):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        nn.init.constant_(
            self.mel_head.bias, -3.0 / LOG_MEL_SCALE
        )  # faint, so that at first no harmonics drown a pause
        sizes = MAX_EXCITATION * TAF.mu_law_decoding(torch.arange(num_classes), num_classes)
        self.register_buffer("sizes", sizes, persistent=False)
        self.register_buffer("log_widths", _log_bin_widths(sizes), persistent=False)
        self.register_buffer("cycle", _cycle_table(config.num_harmonics), persistent=False)
        self.register_buffer("between", _mel_interpolation(band_centers(config.mel_bands)), persistent=False)
        self.register_buffer("cosines", _autocorrelation_basis(config.filter_order), persistent=False)

    @property
    def context_codes(self) -> int:
        """Codes on either side that a code's spectra depend on."""
        return -(-(self.mel_network.context_frames + 1) // self.frames_per_code)

    def forward(
        self,
        vectors: Tensor,
        speaker_vectors: Tensor,
        f0: Tensor | None = None,
        frames: Tensor | None = None,
        harmonic_boost: float = 0.0,
    ) -> SourceFilterParams:
        """What the codes tell.

        Args:
            vectors, voices, pitch, frames: as of `FrameNetwork`, (B, N, ...) for N codes.
            voicing: share of the noise's energy, 0 to 1, that the harmonics of voiced frames are given; nothing becomes
                louder. What the codes do not tell of the harmonics, their phases above all, is left to the noise, which
                has more of the energy than in a voice that is heard. For speaking, not for learning (our choice).

        Returns:
            Of L = N x `parts` spectra.
        """
        inputs = self._repeat_to_frames(vectors, speaker_vectors, f0, frames)
        bands, f0 = self._log_mel_of(*inputs), inputs[2]
        power = (
            (bands.detach() + self.log_bias) @ self.between
        ).exp() / INPUT_GAIN**2  # of white noise as loud
        if f0 is None or not self.num_harmonics:
            return SourceFilterParams(
                bands,
                *_all_pole_filter(power, self.cosines),
                bands.new_zeros(*bands.shape[:2], 2 * self.num_harmonics),
            )
        power = torch.where(f0[..., None] > 0, smooth_over_f0(power, fill_unvoiced(f0)), power)
        share = (
            self.harmonic_head(self.harmonic_network(*inputs)).transpose(1, 2).unflatten(-1, (2, NUM_FREQS))
        )
        share = share / (1 + share.square().sum(2, keepdim=True)).sqrt()
        share = share * (
            torch.arange(NUM_FREQS, device=share.device) * 8000 / (NUM_FREQS - 1) < MAX_HARMONIC_HZ
        )
        if harmonic_boost > 0:
            own = share.square().sum(2, keepdim=True)
            share = share * ((own + harmonic_boost * (1 - own)) / own.clamp_min(1e-6)).sqrt()
        left = 1 - share.square().sum(2) * (f0 > 0).unsqueeze(-1)
        taps, sharpness = _all_pole_filter(power * left.detach().clamp_min(NOISE_FLOOR), self.cosines)
        return SourceFilterParams(bands, taps, sharpness, self._at_harmonics(share, power.detach(), f0))

    def predict_log_mel(self, vectors: Tensor, voices: Tensor, pitch: Tensor | None = None) -> Tensor:
        """The spectra alone, (B, L, M); arguments as of `forward`."""
        return self._log_mel_of(*self._repeat_to_frames(vectors, voices, pitch, None))

    def _log_mel_of(self, *inputs: Tensor | None) -> Tensor:
        return LOG_MEL_SCALE * self.mel_head(self.mel_network(*inputs)).transpose(1, 2)

    def _repeat_to_frames(
        self, vectors: Tensor, voices: Tensor, pitch: Tensor | None, frames: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Arguments of the networks, for every spectrum those of its code."""
        pitch = None if pitch is None else pitch.repeat_interleave(self.frames_per_code, 1)
        frames = None if frames is None else frames * self.frames_per_code
        return vectors.repeat_interleave(self.frames_per_code, 1), voices, pitch, frames

    def slice_params(self, told: SourceFilterParams, codes: slice) -> SourceFilterParams:
        """What is told in some codes."""
        return SourceFilterParams(
            *(
                each[:, codes.start * self.frames_per_code : codes.stop * self.frames_per_code]
                for each in told
            )
        )

    def _at_harmonics(self, share: Tensor, power: Tensor, pitch: Tensor) -> Tensor:
        """Amplitudes at the multiples of the pitch: (B, L, 2, POINTS), (B, L, POINTS), (B, L) to (B, L, 2 H)."""
        base = fill_unvoiced(pitch).unsqueeze(-1)
        hertz = base * torch.arange(1, self.num_harmonics + 1, device=pitch.device)
        place = (hertz * (NUM_FREQS - 1) / (SAMPLE_RATE / 2)).clamp_max(NUM_FREQS - 1.001)
        low = place.long()
        values = torch.cat([share, power.unsqueeze(2)], dim=2)
        both = low.unsqueeze(2).expand(-1, -1, 3, -1)
        values = torch.lerp(values.gather(3, both), values.gather(3, both + 1), (place - low).unsqueeze(2))
        # A sine of amplitude a has a power of a^2 / 2, and stands for a band about it as wide as the pitch.
        amplitude = (2 * values[:, :, 2] * base / (SAMPLE_RATE / 2)).sqrt() * (hertz < MAX_HARMONIC_HZ)
        return (values[:, :, :2] * amplitude.unsqueeze(2)).flatten(2)

    def harmonic_signal(self, harmonics: Tensor, phase: Tensor) -> Tensor:
        """The harmonics' sum h, amplitudes on straight lines between the frames: (B, N, 2 H), (B, T) to (B, T)."""
        samples, frames = phase.shape[1], harmonics.shape[1]
        place = (torch.arange(samples, device=phase.device) + 0.5) * (frames / samples) - 0.5
        place = place.clamp(0, frames - 1)
        left = place.long()
        right, share = (left + 1).clamp_max(frames - 1), (place - left)[:, None]
        rows = F.embedding(phase.long(), self.cycle)
        one, other = (torch.einsum("bth,bth->bt", harmonics[:, each], rows) for each in (left, right))
        return torch.lerp(one, other, share[:, 0])

    def excitation(self, wave: Tensor, told: SourceFilterParams, carrier: Tensor) -> Tensor:
        """What the filter was fed with, in units of its size: emphasised (B, T) and h (B, T) to (B, T)."""
        noise = wave - carrier
        past = F.pad(noise, (self.order, 0)).unfold(1, self.order, 1)[:, : wave.shape[1]].flip(-1)
        hop = wave.shape[1] // told.taps.shape[1]
        predicted = torch.einsum("bnhp,bnp->bnh", past.unflatten(1, (-1, hop)), told.taps)
        innovation = noise.unflatten(1, (-1, hop)) - predicted
        return (innovation * told.log_inv_scale.exp().unsqueeze(-1)).flatten(1)

    def quantize_excitation(self, excitation: Tensor) -> Tensor:
        """Classes of excitations: (B, T) to (B, T), int64."""
        return TAF.mu_law_encoding((excitation / MAX_EXCITATION).clamp(-1, 1), len(self.sizes))

    def log_density(self, classes: Tensor, told: SourceFilterParams) -> Tensor:
        """What to add to ln p(class) for ln p(sample), of full scale: (B, T) to (B, T)."""
        sharpness = told.log_inv_scale.repeat_interleave(classes.shape[1] // told.taps.shape[1], dim=1)
        return sharpness - self.log_widths[classes]

    def spectral_loss(self, wave: Tensor, bands: Tensor) -> Tensor:
        """What teaches the spectra, (): mean square error of the bands of an emphasised wave (B, T), in SPREADs."""
        return ((bands - self.spectrum(INPUT_GAIN * wave)) / LOG_MEL_SCALE).square().mean()

    def source_loss(
        self, wave: Tensor, told: SourceFilterParams, carrier: Tensor, phase: Tensor | None
    ) -> Tensor:
        """What teaches the harmonics and the excitation's size: the sum of two terms, ().

        -ln of a Laplace density of the excitation, a sample, which moves nothing but `raised`; and the mean share of a
        voiced frame's energy that its harmonics leave. The likelihood would not teach the harmonics: of the next
        sample, the last ones tell nearly as much.
        """
        laplace = self.excitation(wave, told, carrier.detach()).abs().mean() - told.log_inv_scale.mean()
        if phase is None or not self.num_harmonics:
            return laplace
        frames = told.taps.shape[1]
        # What is told too loud counts as loud: else at first a faint frame would weigh a hundred times a loud one.
        energy = (wave.square() + carrier.detach().square()).unflatten(1, (frames, -1)).mean(
            -1
        ) + ENERGY_FLOOR
        left = (wave - carrier).square().unflatten(1, (frames, -1)).mean(-1) / energy
        voiced = (phase != UNVOICED).float().unflatten(1, (frames, -1)).mean(-1)
        return laplace + (left * voiced).sum() / voiced.sum().clamp_min(1.0)


def _all_pole_filter(power: Tensor, cosines: Tensor) -> tuple[Tensor, Tensor]:
    """The all-pole filter that noise of a spectrum has, and its excitation's sharpness.

    Args:
        power: (B, L, POINTS), of white noise as loud.
        cosines: (POINTS, P + 1).

    Returns:
        (B, L, P) taps, and (B, L), ln of the inverse size of a Laplace density with the excitation's variance.
    """
    correlation = power @ cosines
    first = (1 + NOISE_FLOOR) * correlation[..., :1]
    taps, left = levinson_durbin(torch.cat([first, correlation[..., 1:]], dim=-1))
    return taps, -0.5 * (left / 2).log()


def smooth_over_f0(power: Tensor, pitch: Tensor) -> Tensor:
    """Means of a spectrum over bands as wide as the pitch, in which its harmonics are no more seen (after Morise 2015).

    Args:
        power: (B, L, POINTS).
        pitch: (B, L), Hz.

    Returns:
        (B, L, POINTS).
    """
    edges = F.pad(power.cumsum(-1), (1, 0))  # edge j lies half a step below point j
    half = pitch.unsqueeze(-1) * (NUM_FREQS - 1) / SAMPLE_RATE
    middle = torch.arange(NUM_FREQS, device=power.device) + 0.5

    def up_to(place: Tensor) -> Tensor:
        low = place.long().clamp_max(NUM_FREQS - 1)
        return torch.lerp(edges.gather(-1, low), edges.gather(-1, low + 1), place - low)

    first, last = ((middle + side * half).clamp(0, NUM_FREQS) for side in (-1, 1))
    return (up_to(last) - up_to(first)) / (last - first)


def levinson_durbin(correlation: Tensor) -> tuple[Tensor, Tensor]:
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


def _mel_interpolation(centres: Tensor) -> Tensor:
    """Weights of the bands at each frequency, straight lines between their centres: (M,), Hz, to (M, POINTS)."""
    hertz = torch.linspace(0, SAMPLE_RATE / 2, NUM_FREQS).clamp(centres[0], centres[-1])
    right = torch.searchsorted(centres, hertz).clamp(1, len(centres) - 1)
    share = (hertz - centres[right - 1]) / (centres[right] - centres[right - 1])
    weights = torch.zeros(len(centres), NUM_FREQS)
    weights[right - 1, torch.arange(NUM_FREQS)] = 1 - share
    weights[right, torch.arange(NUM_FREQS)] = share
    return weights


def _autocorrelation_basis(order: int) -> Tensor:
    """What makes autocorrelations of power spectra, by the trapezoidal rule: (POINTS, P + 1)."""
    weights = torch.full((NUM_FREQS, 1), 1 / (NUM_FREQS - 1))
    weights[0] = weights[-1] = 0.5 / (NUM_FREQS - 1)
    return weights * torch.cos(
        math.pi / (NUM_FREQS - 1) * torch.arange(NUM_FREQS)[:, None] * torch.arange(order + 1)
    )


def _cycle_table(harmonics: int) -> Tensor:
    """Cosines and sines of each part of a cycle, (1 + PARTS, 2 H); zeros for no cycle."""
    angle = (
        2
        * math.pi
        * (torch.arange(NUM_PHASE_BINS) + 0.5)[:, None]
        / NUM_PHASE_BINS
        * torch.arange(1, harmonics + 1)
    )
    return torch.cat([torch.zeros(1, 2 * harmonics), torch.cat([angle.cos(), angle.sin()], dim=1)])


def _log_bin_widths(centres: Tensor) -> Tensor:
    """ln of how much of the line is nearest to each of some rising points: (n,) to (n,)."""
    edges = torch.cat([centres[:1], (centres[1:] + centres[:-1]) / 2, centres[-1:]])
    return (edges[1:] - edges[:-1]).log()
