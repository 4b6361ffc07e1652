"""Source-filter model: harmonics plus filtered noise, predicted from the codes.

From the codes, networks predict a log-mel spectrum for each frame. For each frequency they also predict which
fraction of its energy is harmonic, and the phase of the harmonics. These predictions determine

    x = h + n

where h is the sum of the harmonics, and n is an excitation after an all-pole filter that has the rest of
the spectrum (harmonic plus noise: Stylianou 2001; filters from mel spectra: Valin and Skoglund 2019;
glottal phase as conditioning: after Wang et al. 2019). The WaveNet models the excitation, as in ExcitNet
(Song et al. 2019), in mu-law bins relative to its predicted scale. Loudness and formants follow from the
codes alone, so they do not drift in long synthesis.
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
from speechvq.audio.mulaw import INPUT_GAIN, log_bin_widths, mulaw_bins
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.config import SourceFilterConfig
from speechvq.runtime import distributed
from speechvq.speech.frame_network import FrameNetwork
from speechvq.speech.source_filter.spectral_envelope import (
    NOISE_FLOOR,
    NUM_FREQS,
    all_pole_filter,
    autocorrelation_basis,
    mel_interpolation,
    smooth_over_f0,
)

FRAME_SAMPLES = 160  # per spectrum, if the hop is a multiple of it; otherwise there is one spectrum per code
MAX_HARMONIC_HZ = 7000.0  # harmonics above are left to the noise
MAX_EXCITATION = 16.0  # excitation of the outermost bins, relative to its scale
LOG_MEL_SCALE = 2.0  # approximate standard deviation of a band's log energy over time
INITIAL_LOG_MEL = -3.0  # low, so that the initial harmonics are quieter than pauses
ENERGY_FLOOR = 1e-4  # mean square, of full scale, below which a frame's harmonic error has little weight


class SourceFilterParams(NamedTuple):
    """Parameters of L spectra."""

    log_mel: Tensor  # (B, L, M), natural logarithm of the mel band energies, at the encoder's input gain
    taps: Tensor  # (B, L, P), filter taps on the past samples of n, that of the newest sample first
    log_inv_scale: Tensor  # (B, L), natural logarithm of the inverse scale of the excitation, of full scale
    harmonics: Tensor  # (B, L, 2 H), amplitudes of full scale: cosines of all H harmonics, then sines


class SourceFilter(nn.Module):
    """Predicts the parameters, and converts between pre-emphasized waveforms and excitation bins.

    Buffers, not saved:
        bin_centers: (Q,), excitation of each bin, relative to its scale.
        log_bin_widths: (Q,), natural logarithm of the width of each bin's interval.
        mel_to_freqs: (M, NUM_FREQS), interpolation weights from bands to frequencies.
        to_autocorrelation: (NUM_FREQS, P + 1).
        cycle_table: (1 + NUM_PHASE_BINS, 2 H), cosines and sines of the harmonics at each phase bin.
    """

    bin_centers: Tensor
    log_bin_widths: Tensor
    mel_to_freqs: Tensor
    to_autocorrelation: Tensor
    cycle_table: Tensor

    def __init__(
        self, config: SourceFilterConfig, dim: int, speaker_dim: int, num_bins: int, hop: int
    ) -> None:
        """
        Args:
            config: sizes and options.
            dim: D, width of the code vectors.
            speaker_dim: V, width of the speaker embedding.
            num_bins: Q, excitation bins.
            hop: samples per code.
        """
        super().__init__()
        self.order, self.num_harmonics = config.filter_order, config.num_harmonics
        self.frames_per_code = hop // FRAME_SAMPLES if hop % FRAME_SAMPLES == 0 else 1
        self.spectrum = LogMel(config.mel_bands, hop // self.frames_per_code)
        channels, with_f0 = config.channels, config.num_harmonics > 0
        self.mel_network = FrameNetwork(
            dim,
            speaker_dim,
            channels,
            depth=config.depth,
            condition_on_f0=with_f0,
            dilations=config.dilations,
            lookahead=config.lookahead_frames,
        )
        self.mel_head = nn.Conv1d(channels, config.mel_bands, 1)
        self.harmonic_network = FrameNetwork(
            dim,
            speaker_dim,
            channels,
            depth=config.depth,
            condition_on_f0=with_f0,
            dilations=config.dilations,
            lookahead=config.lookahead_frames,
        )
        self.harmonic_head = nn.Conv1d(channels, 2 * NUM_FREQS, 1)
        # The predicted mean of the log energy is below the log of the mean energy, differently in each band.
        self.log_bias = nn.Parameter(torch.zeros(config.mel_bands))
        _init_constant(self.mel_head, INITIAL_LOG_MEL / LOG_MEL_SCALE)
        _init_constant(self.harmonic_head, 0.0)
        centers = MAX_EXCITATION * TAF.mu_law_decoding(torch.arange(num_bins), num_bins)
        self.register_buffer("bin_centers", centers, persistent=False)
        self.register_buffer("log_bin_widths", log_bin_widths(centers), persistent=False)
        self.register_buffer("cycle_table", _cycle_table(config.num_harmonics), persistent=False)
        weights = mel_interpolation(band_centers(config.mel_bands))
        self.register_buffer("mel_to_freqs", weights, persistent=False)
        basis = autocorrelation_basis(config.filter_order)
        self.register_buffer("to_autocorrelation", basis, persistent=False)

    @property
    def context_codes(self) -> int:
        """Codes on each side that the parameters of a code depend on."""
        return -(-(self.mel_network.context_frames + 1) // self.frames_per_code)

    def forward(
        self,
        vectors: Tensor,
        speaker_embedding: Tensor,
        f0: Tensor | None = None,
        num_frames: Tensor | None = None,
        harmonic_boost: float = 0.0,
        log_mel: Tensor | None = None,
    ) -> SourceFilterParams:
        """Predict the parameters.

        Args:
            vectors, speaker_embedding, f0, num_frames: see `FrameNetwork.forward`; N is the number of codes.
            harmonic_boost: fraction of the noise energy of voiced frames, 0 to 1, that is moved to the
                harmonics. The total energy stays the same. The networks leave to the noise what the codes do
                not determine, above all the phase of high harmonics, so predicted speech is noisier than
                real speech. For synthesis only (our choice).
            log_mel: (B, L, M), spectra to use in place of the predicted ones, for example those of a
                recording (copy synthesis).

        Returns:
            Parameters of L = N x `frames_per_code` spectra.
        """
        inputs = self._repeat_to_frames(vectors, speaker_embedding, f0, num_frames)
        log_mel, f0 = self._log_mel(*inputs) if log_mel is None else log_mel, inputs[2]
        outputs = None
        if f0 is not None and self.num_harmonics:
            outputs = self.harmonic_head(self.harmonic_network(*inputs))
        params = self.params_of(log_mel, outputs, f0, harmonic_boost)
        if inputs[3] is None:
            return params
        return params._replace(harmonics=_extend_last_frame(params.harmonics, inputs[3]))

    def params_of(
        self,
        log_mel: Tensor,
        outputs: Tensor | None,
        f0: Tensor | None,
        harmonic_boost: float = 0.0,
        filled_f0: Tensor | None = None,
    ) -> SourceFilterParams:
        """Parameters from the outputs of the two networks.

        Args:
            log_mel: (B, L, M), predicted.
            outputs: (B, 2 x NUM_FREQS, L), of the network of the harmonics; None for a filter without.
            f0: (B, L), Hz, 0 where unvoiced.
            harmonic_boost: see `forward`.
            filled_f0: (B, L), `f0` with unvoiced frames filled; None fills them as `fill_unvoiced` does.
        """
        power, harmonics = self.noise_and_harmonics(log_mel, outputs, f0, harmonic_boost, filled_f0)
        return SourceFilterParams(log_mel, *all_pole_filter(power, self.to_autocorrelation), harmonics)

    def noise_and_harmonics(
        self,
        log_mel: Tensor,
        outputs: Tensor | None,
        f0: Tensor | None,
        harmonic_boost: float = 0.0,
        filled_f0: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Power spectra (B, L, NUM_FREQS) of the noise, and amplitudes (B, L, 2 H); see `params_of`."""
        power = ((log_mel.detach() + self.log_bias) @ self.mel_to_freqs).exp() / INPUT_GAIN**2
        if outputs is None or f0 is None:
            return power, log_mel.new_zeros(*log_mel.shape[:2], 2 * self.num_harmonics)
        filled = fill_unvoiced(f0) if filled_f0 is None else filled_f0
        power = torch.where(f0[..., None] > 0, smooth_over_f0(power, filled), power)
        fractions = _harmonic_fractions(outputs, harmonic_boost)
        noise = 1 - fractions.square().sum(2) * (f0 > 0).unsqueeze(-1)
        harmonics = self._harmonic_amplitudes(fractions, power.detach(), filled)
        return power * noise.detach().clamp_min(NOISE_FLOOR), harmonics

    def predict_log_mel(self, vectors: Tensor, speaker_embedding: Tensor, f0: Tensor | None = None) -> Tensor:
        """Only the log-mel spectra, (B, L, M); arguments as in `forward`."""
        return self._log_mel(*self._repeat_to_frames(vectors, speaker_embedding, f0, None))

    def _log_mel(self, *inputs: Tensor | None) -> Tensor:
        return LOG_MEL_SCALE * self.mel_head(self.mel_network(*inputs)).transpose(1, 2)

    def _repeat_to_frames(
        self, vectors: Tensor, speaker_embedding: Tensor, f0: Tensor | None, num_frames: Tensor | None
    ) -> tuple[Tensor, Tensor, Tensor | None, Tensor | None]:
        """Inputs of the networks, with each code's values repeated for each of its spectra."""
        f0 = None if f0 is None else f0.repeat_interleave(self.frames_per_code, 1)
        num_frames = None if num_frames is None else num_frames * self.frames_per_code
        return vectors.repeat_interleave(self.frames_per_code, 1), speaker_embedding, f0, num_frames

    def slice_params(self, params: SourceFilterParams, codes: slice) -> SourceFilterParams:
        """Parameters of some of the codes."""
        frames = self.frames_of(codes)
        return SourceFilterParams(*(each[:, frames] for each in params))

    def frames_of(self, codes: slice) -> slice:
        """The spectra of some of the codes."""
        return slice(codes.start * self.frames_per_code, codes.stop * self.frames_per_code)

    def _harmonic_amplitudes(self, fractions: Tensor, power: Tensor, f0: Tensor) -> Tensor:
        """Amplitudes at the multiples of F0.

        Args:
            fractions: (B, L, 2, NUM_FREQS).
            power: (B, L, NUM_FREQS).
            f0: (B, L), Hz, with unvoiced frames filled.

        Returns:
            (B, L, 2 H).
        """
        base = f0.unsqueeze(-1)
        hertz = base * torch.arange(1, self.num_harmonics + 1, device=f0.device)
        position = (hertz * (NUM_FREQS - 1) / (SAMPLE_RATE / 2)).clamp_max(NUM_FREQS - 1.001)
        low = position.long()
        values = torch.cat([fractions, power.unsqueeze(2)], dim=2)
        index = low.unsqueeze(2).expand(-1, -1, 3, -1)
        weight = (position - low).unsqueeze(2)
        values = torch.lerp(values.gather(3, index), values.gather(3, index + 1), weight)
        # A sine of amplitude a has power a^2 / 2, and represents a band about as wide as F0.
        amplitude = (2 * values[:, :, 2] * base / (SAMPLE_RATE / 2)).sqrt() * (hertz < MAX_HARMONIC_HZ)
        return (values[:, :, :2] * amplitude.unsqueeze(2)).flatten(2)

    def harmonic_signal(self, harmonics: Tensor, phase: Tensor) -> Tensor:
        """Sum of the harmonics, h, with amplitudes interpolated linearly between frames.

        Args:
            harmonics: (B, L, 2 H), amplitudes.
            phase: (B, T), phase bins; T a multiple of L.

        Returns:
            (B, T).
        """
        samples, frames = phase.shape[1], harmonics.shape[1]
        position = (torch.arange(samples, device=phase.device) + 0.5) * (frames / samples) - 0.5
        position = position.clamp(0, frames - 1)
        left = position.long()
        right, weight = (left + 1).clamp_max(frames - 1), position - left
        rows = F.embedding(phase.long(), self.cycle_table)
        before, after = (torch.einsum("bth,bth->bt", harmonics[:, each], rows) for each in (left, right))
        return torch.lerp(before, after, weight)

    def excitation(self, wave: Tensor, params: SourceFilterParams, harmonic: Tensor) -> Tensor:
        """Excitation of the filter, relative to its scale, by inverse filtering.

        Args:
            wave: (B, T), pre-emphasized.
            params: of the same samples.
            harmonic: (B, T), h.

        Returns:
            (B, T).
        """
        noise = wave - harmonic
        past = F.pad(noise, (self.order, 0)).unfold(1, self.order, 1)[:, : wave.shape[1]].flip(-1)
        hop = wave.shape[1] // params.taps.shape[1]
        predicted = torch.einsum("bnhp,bnp->bnh", past.unflatten(1, (-1, hop)), params.taps)
        innovation = noise.unflatten(1, (-1, hop)) - predicted
        return (innovation * params.log_inv_scale.exp().unsqueeze(-1)).flatten(1)

    def quantize_excitation(self, excitation: Tensor) -> Tensor:
        """Bins of excitations: (B, T) to (B, T), int64 in [0, Q)."""
        return mulaw_bins(excitation / MAX_EXCITATION, len(self.bin_centers))

    def log_density(self, bins: Tensor, params: SourceFilterParams) -> Tensor:
        """ln p(sample) - ln p(bin), the sample relative to full scale: (B, T) to (B, T)."""
        hop = bins.shape[1] // params.taps.shape[1]
        return params.log_inv_scale.repeat_interleave(hop, dim=1) - self.log_bin_widths[bins]

    def spectral_loss(self, wave: Tensor, log_mel: Tensor) -> Tensor:
        """Mean squared error of the log-mel spectra, in units of LOG_MEL_SCALE squared, ().

        Args:
            wave: (B, T), pre-emphasized.
            log_mel: (B, L, M), predicted.
        """
        return ((log_mel - self.spectrum(INPUT_GAIN * wave)) / LOG_MEL_SCALE).square().mean()

    def source_loss(
        self, wave: Tensor, params: SourceFilterParams, harmonic: Tensor, phase: Tensor | None
    ) -> Tensor:
        """Loss of the excitation's scale and of the harmonics, ().

        The first term is the negative log-density of the excitation under a Laplace density, nats per sample
        up to a constant. It trains `log_bias` alone. The second is the mean fraction of a voiced frame's
        energy that the harmonics do not explain. The likelihood could not train the harmonics: the past
        samples predict the next one nearly as well.

        Args:
            wave: (B, T), pre-emphasized.
            params: of the same samples.
            harmonic: (B, T), h.
            phase: (B, T), phase bins; None for a model without harmonics.
        """
        excitation = self.excitation(wave, params, harmonic.detach())
        laplace = excitation.abs().mean() - params.log_inv_scale.mean()
        if phase is None or not self.num_harmonics:
            return laplace
        frames = params.taps.shape[1]
        # The harmonics' own energy is in the divisor. Otherwise, in early training, an error in a quiet frame
        # has a hundred times the weight of one in a loud frame.
        energy = wave.square() + harmonic.detach().square()
        energy = energy.unflatten(1, (frames, -1)).mean(-1) + ENERGY_FLOOR
        error = (wave - harmonic).square().unflatten(1, (frames, -1)).mean(-1) / energy
        voiced = (phase != UNVOICED).float().unflatten(1, (frames, -1)).mean(-1)
        num_voiced = distributed.mean_over_processes(voiced.sum()).clamp_min(1.0)
        return laplace + (error * voiced).sum() / num_voiced


def _extend_last_frame(harmonics: Tensor, num_frames: Tensor) -> Tensor:
    """Amplitudes (B, L, 2 H) with those of the last frame of each row in its padding.

    They are interpolated between frames, so the last half frame would depend on the padding.
    """
    frames = torch.arange(harmonics.shape[1], device=harmonics.device)
    index = torch.minimum(frames, (num_frames - 1).clamp_min(0)[:, None])
    return harmonics.gather(1, index[..., None].expand_as(harmonics))


def _harmonic_fractions(outputs: Tensor, boost: float) -> Tensor:
    """Cosine and sine amplitude of the harmonics, as fractions of the spectrum's: (B, L, 2, NUM_FREQS).

    The sum of the squares of both is the harmonics' fraction of the energy.

    Args:
        outputs: (B, 2 x NUM_FREQS, L).
        boost: `harmonic_boost`, see `SourceFilter.forward`.
    """
    fractions = outputs.transpose(1, 2).unflatten(-1, (2, NUM_FREQS))
    fractions = fractions / (1 + fractions.square().sum(2, keepdim=True)).sqrt()
    hertz = torch.arange(NUM_FREQS, device=fractions.device) * (SAMPLE_RATE // 2) / (NUM_FREQS - 1)
    fractions = fractions * (hertz < MAX_HARMONIC_HZ)
    if boost > 0:
        energy = fractions.square().sum(2, keepdim=True)
        fractions = fractions * ((energy + boost * (1 - energy)) / energy.clamp_min(1e-6)).sqrt()
    return fractions


def _init_constant(layer: nn.Conv1d, bias: float) -> None:
    """Zero weights and a constant bias."""
    assert layer.bias is not None
    nn.init.zeros_(layer.weight)
    nn.init.constant_(layer.bias, bias)


def _cycle_table(num_harmonics: int) -> Tensor:
    """Cosines and sines of H harmonics at each phase bin, (1 + NUM_PHASE_BINS, 2 H); zeros for unvoiced."""
    angle = 2 * math.pi * (torch.arange(NUM_PHASE_BINS) + 0.5)[:, None] / NUM_PHASE_BINS
    angle = angle * torch.arange(1, num_harmonics + 1)
    return torch.cat([torch.zeros(1, 2 * num_harmonics), torch.cat([angle.cos(), angle.sin()], dim=1)])
