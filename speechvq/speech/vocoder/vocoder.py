"""Vocoder: a network over short-time spectra that turns the source-filter signal into natural speech.

The source-filter model predicts a signal from the codes: harmonics plus noise after an all-pole filter, see
`speech.source_filter`. The vocoder reads the short-time Fourier transform (STFT) of this signal, multiplies
each of its bins by a complex factor, and inverts the transform. One pass over the frames replaces the
sample-by-sample WaveNet. Source signal and one-pass generator follow NSF (Wang et al. 2019) and Parallel
WaveGAN (Yamamoto et al. 2020), and the ConvNeXt layers over STFT frames follow Vocos (Siuzdak 2023). That the
network corrects a signal that already is speech, instead of predicting spectra, is our choice: the untrained
network is the identity, and the phases of the harmonics come from the source.
"""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import VocoderConfig
from speechvq.speech.source_filter.source_filter import FRAME_SAMPLES, LOG_MEL_SCALE

FFT = 512  # samples per frame; the hop is FRAME_SAMPLES
KERNEL = 7  # frames that a layer sees
MAX_LOG_GAIN = 4.0  # natural logarithm of the largest factor of a bin, 35 dB
COMPRESSION = 0.3  # exponent of the magnitudes that the network reads
MIN_FREQUENCY_BIN = 2  # bins below, under 47 Hz, are removed: there is no speech, only rumble


class ConvNeXtLayer(nn.Module):
    """A ConvNeXt block over frames (Liu et al. 2022) with limited look-ahead: (B, C, L) to (B, C, L)."""

    def __init__(self, channels: int, hidden_channels: int, lookahead: int, scale: float) -> None:
        """
        Args:
            channels: C.
            hidden_channels: between the two linear layers.
            lookahead: later frames that an output depends on, of the KERNEL.
            scale: initial factor of the layer's output.
        """
        super().__init__()
        self.padding = (KERNEL - 1 - lookahead, lookahead)
        self.depthwise = nn.Conv1d(channels, channels, KERNEL, groups=channels)
        self.norm = nn.LayerNorm(channels)
        self.expand = nn.Linear(channels, hidden_channels)
        self.project = nn.Linear(hidden_channels, channels)
        self.scale = nn.Parameter(torch.full((channels,), scale))

    def forward(self, x: Tensor) -> Tensor:
        """Input plus the layer's output."""
        return self.add(x, self.depthwise(F.pad(x, self.padding)))

    def add(self, x: Tensor, convolved: Tensor) -> Tensor:
        """Input plus the layer's output, given the output of its convolution."""
        y = self.project(F.gelu(self.expand(self.norm(convolved.transpose(1, 2))))) * self.scale
        return x + y.transpose(1, 2)


class Vocoder(nn.Module):
    """Source-filter signal to waveform, both pre-emphasized.

    Buffers, not saved:
        window: (FFT,), of analysis and synthesis.
    """

    window: Tensor
    layers: Sequence[ConvNeXtLayer]

    def __init__(self, config: VocoderConfig, mel_bands: int, speaker_dim: int) -> None:
        """
        Args:
            config: sizes.
            mel_bands: M, of the source-filter model.
            speaker_dim: V, width of the speaker embedding.
        """
        super().__init__()
        bins, channels = FFT // 2 + 1, config.channels
        self.inputs = nn.Conv1d(2 * bins + mel_bands + 2 + speaker_dim, channels, 1)
        self.norm = nn.LayerNorm(channels)
        # The look-ahead is one frame in each of the first layers.
        layers = nn.ModuleList(
            ConvNeXtLayer(
                channels, config.hidden_channels, int(i < config.lookahead_frames), 1 / config.layers
            )
            for i in range(config.layers)
        )
        self.layers = cast(Sequence[ConvNeXtLayer], layers)
        self.output_norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 2 * bins)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("window", torch.hann_window(FFT), persistent=False)

    @property
    def context_frames(self) -> tuple[int, int]:
        """Frames before and after a frame that its samples depend on."""
        overlap = -(-(FFT - FRAME_SAMPLES) // (2 * FRAME_SAMPLES))  # of analysis, and again of synthesis
        past, future = (sum(layer.padding[side] for layer in self.layers) for side in (0, 1))
        return past + 2 * overlap, future + 2 * overlap

    def forward(
        self,
        source: Tensor,
        log_mel: Tensor,
        speaker_embedding: Tensor,
        f0_features: Tensor,
        num_frames: Tensor | None = None,
    ) -> Tensor:
        """Waveforms.

        Args:
            source: (B, T), harmonics plus noise, T = L x FRAME_SAMPLES.
            log_mel: (B, L, M), the spectra that the source was made from, see `SourceFilterParams`.
            speaker_embedding: (B, V).
            f0_features: (B, 2, L), see `audio.f0_conditioning.f0_features`.
            num_frames: (B,), frames of each row; what lies beyond is padding and has no effect on the row.
                None if no row is padded.

        Returns:
            (B, T), pre-emphasized.
        """
        frames = source.shape[1] // FRAME_SAMPLES
        mask = torch.ones(1, 1, frames, device=source.device)
        if num_frames is not None:
            mask = (torch.arange(frames, device=source.device) < num_frames[:, None, None]).float()
            source = source * mask[:, 0].repeat_interleave(FRAME_SAMPLES, 1)
        spectra = self._stft(source)
        bands = log_mel.transpose(1, 2) / LOG_MEL_SCALE
        speaker = speaker_embedding.unsqueeze(-1).expand(-1, -1, frames)
        x = self.read(spectra, torch.cat([bands, f0_features, speaker], dim=1))
        for layer in self.layers:
            x = layer(x * mask)
        return self._inverse_stft(spectra * self.factors(x) * mask, mask)

    def read(self, spectra: Tensor, conditions: Tensor) -> Tensor:
        """Input of the first layer.

        Args:
            spectra: (B, FFT / 2 + 1, L), complex, of the source.
            conditions: (B, M + 2 + V, L): spectra in units of LOG_MEL_SCALE, F0 features, speaker embedding.

        Returns:
            (B, C, L).
        """
        compressed = self.compress(spectra)
        x = self.inputs(torch.cat([compressed.real, compressed.imag, conditions], dim=1))
        return self.norm(x.transpose(1, 2)).transpose(1, 2)

    @staticmethod
    def compress(spectra: Tensor) -> Tensor:
        """Spectra with the magnitudes that the network reads; any shape."""
        return spectra * spectra.abs().clamp_min(1e-5) ** (COMPRESSION - 1)

    def factors(self, x: Tensor) -> Tensor:
        """Complex factor of each bin from the output of the last layer: (B, C, L) to (B, FFT / 2 + 1, L)."""
        return self.factors_of(self.head(self.output_norm(x.transpose(1, 2)))).transpose(1, 2)

    @staticmethod
    def factors_of(outputs: Tensor) -> Tensor:
        """Complex factors (..., bins) from outputs of the head, (..., 2 bins)."""
        log_gain, angle = outputs.chunk(2, dim=-1)
        gain = (MAX_LOG_GAIN * torch.tanh(log_gain / MAX_LOG_GAIN)).exp()
        gain = F.pad(gain[..., MIN_FREQUENCY_BIN:], (MIN_FREQUENCY_BIN, 0))
        return torch.complex(gain * angle.cos(), gain * angle.sin())

    def _stft(self, wave: Tensor) -> Tensor:
        """Spectra of frames that are centered in their hops: (B, T) to (B, FFT / 2 + 1, L), complex."""
        padded = F.pad(wave, ((FFT - FRAME_SAMPLES) // 2,) * 2)
        return torch.stft(padded, FFT, FRAME_SAMPLES, window=self.window, center=False, return_complex=True)

    def _inverse_stft(self, spectra: Tensor, mask: Tensor) -> Tensor:
        """Least-squares inverse of `_stft` over the frames in the mask (B or 1, 1, L)."""
        frames = torch.fft.irfft(spectra, n=FFT, dim=1) * self.window[:, None]
        weights = _overlap_add(self.window.square()[:, None] * mask)
        wave = _overlap_add(frames) / weights.clamp_min(1e-3)
        cut = (FFT - FRAME_SAMPLES) // 2
        return wave[:, cut : cut + spectra.shape[2] * FRAME_SAMPLES]


def _overlap_add(frames: Tensor) -> Tensor:
    """Sum of frames (B, FFT, L) that start FRAME_SAMPLES apart: (B, (L - 1) x FRAME_SAMPLES + FFT)."""
    total = (frames.shape[2] - 1) * FRAME_SAMPLES + FFT
    return F.fold(frames, (1, total), (1, FFT), stride=(1, FRAME_SAMPLES))[:, 0, 0]
