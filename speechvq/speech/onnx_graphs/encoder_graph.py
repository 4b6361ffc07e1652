"""Encoder and quantizer as one function of tensors: waveforms of any level and length to codes."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.amplitude import MAX_PEAK, MIN_OFFSET, MIN_OFFSET_SECONDS, MIN_PEAK
from speechvq.audio.mel import ENERGY_FLOOR, FFT
from speechvq.audio.mulaw import INPUT_GAIN
from speechvq.audio.waveform import PEAK_LIMIT, TARGET_RMS
from speechvq.speech.encoder.mel_frontend import MelFrontend
from speechvq.speech.model import SpeechVQ
from speechvq.speech.onnx_graphs.fourier import stft_kernel


class EncoderGraph(nn.Module):
    """What `SpeechVQ.encode` does with samples at 16 kHz, in operations that ONNX has.

    Rows of a batch may have different lengths; a row does not depend on the others. The whole waveform is
    encoded at once, so the memory grows with its length.
    """

    codebook: Tensor
    offset: Tensor
    kernel: Tensor

    def __init__(self, model: SpeechVQ) -> None:
        """
        Args:
            model: in evaluation mode; its modules are shared.
        """
        super().__init__()
        self.encoder, self.hop = model.encoder, model.config.hop
        self.rate = model.config.sample_rate
        codebook = model.quantizer.codebook.detach()
        self.register_buffer("codebook", codebook)
        self.register_buffer("offset", -0.5 * codebook.square().sum(-1))
        if isinstance(self.encoder.frontend, MelFrontend):
            spectrum = self.encoder.frontend.spectrum
            self.register_buffer("kernel", stft_kernel(FFT, spectrum.window) / math.sqrt(FFT))

    def forward(self, wave: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
        """Codes and the vectors before quantization.

        Args:
            wave: (B, T), float32, 16 kHz, of any level.
            lengths: (B,), int64, samples of each row, at least 1; what lies beyond is ignored.

        Returns:
            (B, N), int64, N = ceil(T / hop), -1 after the end of a row; and (B, N, D), float32.
        """
        total = (wave.shape[1] + self.hop - 1) // self.hop * self.hop
        leveled = F.pad(self._leveled(wave, lengths), (0, self.hop - 1))[:, :total]
        frames = (lengths + self.hop - 1) // self.hop
        mulaw = self.encoder.mulaw
        x = INPUT_GAIN * mulaw.gain * (leveled - mulaw.preemphasis * F.pad(leveled, (1, 0))[:, :-1])
        x, hop = (x * _mask(total, frames * self.hop)).unsqueeze(1), 1
        if isinstance(self.encoder.frontend, MelFrontend):
            hop = self.encoder.frontend.spectrum.hop
            x = self._spectra(x, frames * (self.hop // hop), self.encoder.frontend)
        inputs = x
        for layer in self.encoder.layers:
            length, hop = x.shape[-1] // layer.stride[0], hop * layer.stride[0]
            mask = _mask(length, frames * (self.hop // hop)).unsqueeze(1)
            x = F.relu(layer(x))[..., :length] * mask
        mask = _mask(total // self.hop, frames).unsqueeze(1)
        for block in self.encoder.blocks:
            x = block(x) * mask
        x = self.encoder.project(F.relu(x))
        if self.encoder.cepstrum is not None and isinstance(self.encoder.frontend, MelFrontend):
            step = self.hop // self.encoder.frontend.spectrum.hop
            x = x + F.avg_pool1d(self.encoder.cepstrum(inputs), step)
        vectors = self.encoder.norm(x.transpose(1, 2))
        codes = (vectors @ self.codebook.t() + self.offset).argmax(-1)
        return torch.where(mask[:, 0] > 0, codes, -1), vectors * mask.transpose(1, 2)

    def _leveled(self, wave: Tensor, lengths: Tensor) -> Tensor:
        """Waveforms after `amplitude.correct` and `normalize_level`; zeros after the end of a row."""
        mask = _mask(wave.shape[1], lengths).double()
        count = lengths[:, None].double()
        wide = wave.double() * mask
        mean, peak = wide.sum(1, keepdim=True) / count, wide.abs().amax(1, keepdim=True)
        deviation = (wide.square().sum(1, keepdim=True) / count - mean.square()).clamp_min(0.0).sqrt()
        is_offset = (count >= MIN_OFFSET_SECONDS * self.rate) & (mean.abs() > MIN_OFFSET * deviation)
        audible = (peak >= MIN_PEAK).double()
        offset = mean * is_offset * audible
        far = peak > MAX_PEAK
        gain = torch.where(far, 1 / (peak + offset.abs()).clamp_min(MIN_PEAK), 1.0) * audible
        corrected = ((wide - offset) * gain).float() * mask.float()
        wide = corrected.double()
        rms = (wide.square().sum(1, keepdim=True) / count).sqrt()
        limit = PEAK_LIMIT / corrected.abs().amax(1, keepdim=True).double().clamp_min(1e-300)
        scale = torch.minimum(TARGET_RMS / rms.clamp_min(1e-300), limit)
        return (corrected.double() * torch.where(rms > 0, scale, 1.0)).float()

    def _spectra(self, wave: Tensor, frames: Tensor, frontend: MelFrontend) -> Tensor:
        """Normalized log-mel spectra, see `MelFrontend`: (B, 1, T) to (B, M, L); `frames` of each row."""
        hop = frontend.spectrum.hop
        padded = F.pad(wave, ((FFT - hop) // 2, (FFT - hop + 1) // 2))
        real, imaginary = F.conv1d(padded, self.kernel, stride=hop).chunk(2, dim=1)
        energies = (real.square() + imaginary.square()).transpose(1, 2) @ frontend.spectrum.filters
        logs = (energies + ENERGY_FLOOR).log()
        mask = _mask(logs.shape[1], frames).unsqueeze(-1)
        weights = (0.5 * logs.mean(-1, keepdim=True)).exp() * mask
        mean = (weights * logs).sum(1, keepdim=True) / weights.sum(1, keepdim=True)
        return (frontend.norm(logs - mean) * mask).transpose(1, 2)


def _mask(length: int, counts: Tensor) -> Tensor:
    """Ones for the first counts[i] of `length` positions: (B,) to (B, length), float32."""
    return (torch.arange(length, device=counts.device) < counts[:, None]).float()
