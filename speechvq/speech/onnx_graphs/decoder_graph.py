"""Decoder with vocoder, and F0 predictor, as functions of tensors in operations that ONNX has."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0 import F0_HOP
from speechvq.speech.model import SpeechVQ
from speechvq.speech.onnx_graphs.all_pole_blocks import all_pole_by_frames
from speechvq.speech.onnx_graphs.contours import f0_of_codes, interpolate_voiced, phase_bins_of_f0
from speechvq.speech.onnx_graphs.fourier import inverse_stft_kernel, stft_kernel
from speechvq.speech.source_filter.source_filter import (
    FRAME_SAMPLES,
    LOG_MEL_SCALE,
    SourceFilter,
    SourceFilterParams,
)
from speechvq.speech.source_filter.synthesis import laplace
from speechvq.speech.vocoder.vocoder import (
    COMPRESSION,
    FFT,
    MAX_LOG_GAIN,
    MIN_FREQUENCY_BIN,
    Vocoder,
)

SMALLEST_TAP = 1e-9  # where the impulse response of the de-emphasis is cut


class F0Graph(nn.Module):
    """What `SpeechVQ.predict_f0` does: the F0 contour of codes in the range of a speaker."""

    codebook: Tensor
    speaker_f0: Tensor

    def __init__(self, model: SpeechVQ) -> None:
        """
        Args:
            model: in evaluation mode, with an F0 predictor.
        """
        super().__init__()
        assert model.decoder.f0_predictor is not None
        self.predictor, self.decoder, self.hop = model.decoder.f0_predictor, model.decoder, model.config.hop
        self.register_buffer("codebook", model.quantizer.codebook.detach())
        self.register_buffer("speaker_f0", model.speaker_f0)

    def forward(self, codes: Tensor, speaker: Tensor, lengths: Tensor) -> Tensor:
        """F0 contours.

        Args:
            codes: (B, N), int64; anything after the end of a row.
            speaker: (B,), int64.
            lengths: (B,), int64, codes of each row.

        Returns:
            (B, F), float32, Hz, 0 where unvoiced, 10 ms apart, F = ceil(N hop / 160).
        """
        mask = torch.arange(codes.shape[1]) < lengths[:, None]
        vectors = F.embedding(torch.where(mask, codes, 0), self.codebook)
        embedding = self.decoder.embed_speaker(speaker)
        f0 = self.predictor.predict_f0(vectors, embedding, lengths) * mask
        count = (codes.shape[1] * self.hop + F0_HOP - 1) // F0_HOP
        center = (torch.arange(count) + 0.5) * F0_HOP / self.hop
        nearest = torch.minimum(center.long()[None], lengths[:, None] - 1)
        contour = torch.where(f0.gather(1, nearest) > 0, interpolate_voiced(f0, center - 0.5), 0.0).float()
        frames = (lengths * self.hop + F0_HOP - 1) // F0_HOP
        contour = contour * (torch.arange(count) < frames[:, None])
        voiced = contour > 0
        logs = torch.where(voiced, contour.clamp_min(1.0).log(), 0.0).sum(1, keepdim=True)
        mean = (logs / voiced.float().sum(1, keepdim=True).clamp_min(1.0)).exp()
        target = self.speaker_f0[speaker][:, None]
        return contour * torch.where(target > 0, target / mean, 1.0)


class DecoderGraph(nn.Module):
    """What `SpeechVQ.decode` does with a model that has a vocoder.

    The whole utterance is synthesized at once, so the memory grows with its length.
    """

    codebook: Tensor
    analysis: Tensor
    synthesis: Tensor
    weights: Tensor
    deemphasis: Tensor

    def __init__(self, model: SpeechVQ, harmonic_boost: float) -> None:
        """
        Args:
            model: in evaluation mode, with a vocoder.
            harmonic_boost: see `SourceFilter.forward`.
        """
        super().__init__()
        decoder = model.decoder
        assert decoder.vocoder is not None and decoder.source_filter is not None
        self.decoder, self.hop, self.harmonic_boost = decoder, model.config.hop, harmonic_boost
        self.source_filter: SourceFilter = decoder.source_filter
        self.vocoder: Vocoder = decoder.vocoder
        window = self.vocoder.window
        self.register_buffer("codebook", model.quantizer.codebook.detach())
        self.register_buffer("analysis", stft_kernel(FFT, window))
        self.register_buffer("synthesis", inverse_stft_kernel(FFT, window))
        self.register_buffer("weights", window.square()[None, None])
        preemphasis = decoder.mulaw.preemphasis
        count = math.ceil(math.log(SMALLEST_TAP) / math.log(preemphasis)) if preemphasis else 1
        response = preemphasis ** torch.arange(count).flip(0).double()
        self.register_buffer("deemphasis", (response / decoder.mulaw.gain).float()[None, None])

    def forward(self, codes: Tensor, speaker: Tensor, f0: Tensor, noise: Tensor, lengths: Tensor) -> Tensor:
        """Waveforms.

        Args:
            codes: (B, N), int64; anything after the end of a row.
            speaker: (B,), int64.
            f0: (B, F), float32, Hz, 0 where unvoiced, 10 ms apart, F = ceil(N hop / 160).
            noise: (B, N hop), float64, uniform random numbers in [0, 1).
            lengths: (B,), int64, codes of each row, at least 1.

        Returns:
            (B, N hop), float32, 16 kHz, zeros after the end of a row.
        """
        num_codes = codes.shape[1]
        mask = torch.arange(num_codes) < lengths[:, None]
        vectors = F.embedding(torch.where(mask, codes, 0), self.codebook)
        frames = (lengths * self.hop + F0_HOP - 1) // F0_HOP
        f0 = f0 * (torch.arange(f0.shape[1]) < frames[:, None])
        code_f0 = f0_of_codes(f0, frames, num_codes, self.hop) * mask
        params = self.decoder.predict_params(vectors, speaker, code_f0, lengths, self.harmonic_boost)
        phase = phase_bins_of_f0(f0, frames, num_codes * self.hop)
        source = self._noise(params, noise) + self._harmonics(params.harmonics, phase)
        features = self.decoder.vocoder_f0_features(code_f0)
        spectra = lengths * self.source_filter.frames_per_code
        wave = self._vocoder(source, params.log_mel, self.decoder.embed_speaker(speaker), features, spectra)
        wave = F.conv1d(F.pad(wave.unsqueeze(1), (self.deemphasis.shape[2] - 1, 0)), self.deemphasis)[:, 0]
        return wave * mask.repeat_interleave(self.hop, 1)

    def _noise(self, params: SourceFilterParams, uniforms: Tensor) -> Tensor:
        """Filtered Laplace noise, see `synthesis.filter_excitation`: (B, T), float32."""
        step = self.hop // self.source_filter.frames_per_code
        excitation = laplace(uniforms).unflatten(1, (-1, step))
        scale = (-params.log_inv_scale).exp().double().unsqueeze(-1)
        return all_pole_by_frames(excitation * scale, params.taps.double()).flatten(1).float()

    def _harmonics(self, harmonics: Tensor, phase: Tensor) -> Tensor:
        """Sum of the harmonics, see `SourceFilter.harmonic_signal`, half a frame at once.

        Between the centers of two frames, the amplitudes are interpolated linearly.
        """
        step = self.hop // self.source_filter.frames_per_code
        half = step // 2
        rows = F.embedding(phase, self.source_filter.cycle_table).unflatten(1, (-1, half))
        previous = torch.cat([harmonics[:, :1], harmonics[:, :-1]], dim=1)
        following = torch.cat([harmonics[:, 1:], harmonics[:, -1:]], dim=1)
        left = torch.stack([previous, harmonics], dim=2).flatten(1, 2)  # of each half
        right = torch.stack([harmonics, following], dim=2).flatten(1, 2)
        both = rows @ torch.stack([left, right], dim=-1)  # (B, 2 L, half, 2)
        weight = (torch.arange(step) + 0.5) / step
        weight = torch.cat([weight[half:], weight[:half]]).unflatten(0, (2, half))
        weight = weight.repeat(harmonics.shape[1], 1)
        return torch.lerp(both[..., 0], both[..., 1], weight).flatten(1)

    def _vocoder(
        self, source: Tensor, log_mel: Tensor, speaker: Tensor, features: Tensor, num_frames: Tensor
    ) -> Tensor:
        """See `Vocoder.forward`; `num_frames` (B,) of each row."""
        frames = log_mel.shape[1]
        mask = (torch.arange(frames) < num_frames[:, None]).float()
        source = source * mask.repeat_interleave(FRAME_SAMPLES, 1)
        edge = (FFT - FRAME_SAMPLES) // 2
        spectra = F.conv1d(F.pad(source, (edge, edge)).unsqueeze(1), self.analysis, stride=FRAME_SAMPLES)
        real, imaginary = spectra.chunk(2, dim=1)
        bands = log_mel.transpose(1, 2) / LOG_MEL_SCALE
        voice = speaker.unsqueeze(-1).expand(-1, -1, frames)
        mask = mask.unsqueeze(1)
        x = self._read(real, imaginary, torch.cat([bands, features, voice], dim=1))
        for layer in self.vocoder.layers:
            x = layer(x * mask)
        gain_real, gain_imaginary = self._factors(x)
        product = torch.cat(
            [real * gain_real - imaginary * gain_imaginary, real * gain_imaginary + imaginary * gain_real], 1
        )
        wave = F.conv_transpose1d(product * mask, self.synthesis, stride=FRAME_SAMPLES)
        weights = F.conv_transpose1d(mask, self.weights, stride=FRAME_SAMPLES)
        return (wave / weights.clamp_min(1e-3))[:, 0, edge : edge + frames * FRAME_SAMPLES]

    def _read(self, real: Tensor, imaginary: Tensor, conditions: Tensor) -> Tensor:
        """See `Vocoder.read`."""
        magnitude = (real.square() + imaginary.square()).sqrt().clamp_min(1e-5)
        factor = magnitude ** (COMPRESSION - 1)
        x = self.vocoder.inputs(torch.cat([real * factor, imaginary * factor, conditions], dim=1))
        return self.vocoder.norm(x.transpose(1, 2)).transpose(1, 2)

    def _factors(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See `Vocoder.factors`; real and imaginary part."""
        outputs = self.vocoder.head(self.vocoder.output_norm(x.transpose(1, 2))).transpose(1, 2)
        log_gain, angle = outputs.chunk(2, dim=1)
        gain = (MAX_LOG_GAIN * torch.tanh(log_gain / MAX_LOG_GAIN)).exp()
        gain = F.pad(gain[:, MIN_FREQUENCY_BIN:], (0, 0, MIN_FREQUENCY_BIN, 0))
        return gain * angle.cos(), gain * angle.sin()
