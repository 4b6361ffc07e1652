"""The WaveNet as a likelihood: codes and speaker in, nats of the waveform out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import f0_at_code_rate
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import SpeechConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.encoder.encoder import jitter
from speechvq.speech.source_filter.intonation import Intonation
from speechvq.speech.source_filter.source_filter import SourceFilter, SourceFilterParams


class Decoder(nn.Module):
    """A WaveNet over mu-law levels of the waveform, as in the paper; or over the excitation of a `SourceFilter`."""

    def __init__(self, config: SpeechConfig, speakers: int, companding: MuLawCodec) -> None:
        super().__init__()
        self.jitter, self.input_noise, self.segment_length = (
            config.jitter,
            config.input_noise,
            config.decoder_segment_length,
        )
        self.companding = companding
        self.wavenet = WaveNet(config.wavenet, config.quantizer.dim, speakers)
        self.source_filter = self.intonation = None
        if config.source_filter.filter_order:
            dim, voice, levels = config.quantizer.dim, config.wavenet.speaker_dim, config.wavenet.mulaw_bins
            self.source_filter = SourceFilter(config.source_filter, dim, voice, levels, config.hop)
            self.intonation = Intonation(dim, voice) if config.source_filter.num_harmonics else None
            # The WaveNet begins where the filter ends: with a Laplace density of the excitation.
            self.wavenet.logits.bias.data = self.source_filter.log_widths - self.source_filter.sizes.abs()

    def predict_params(
        self,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        frames: Tensor | None = None,
        harmonic_boost: float = 0.0,
    ) -> SourceFilterParams:
        """What the codes tell the source and the filter; arguments as of `SourceFilter`, speaker (B,), int64."""
        assert self.source_filter is not None
        return self.source_filter(
            vectors, self.wavenet.conditioning.speaker_vectors(speaker), f0, frames, harmonic_boost
        )

    def nll(
        self,
        wave: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """-log p(mu-law levels | vectors, speaker), nats a sample, ().

        Of an excerpt, where the configuration asks for one: any in training, else the middle. With a source and a
        filter, which stay as they are, it is that of a density, in each sample's level.

        Args:
            wave: (B, T), T a multiple of the hop.
            vectors: (B, N, D).
            speaker: (B,), int64.
            pitch: (B, F), Hz, 0 where unvoiced, 10 ms apart; for a decoder that is told the pitch.
            phase: (B, T), classes of `audio.phase`; for a decoder that is told the phase.
        """
        wavenet, f0 = self.wavenet, self._f0_at_code_rate(f0, wave, vectors)
        if self.training and self.jitter > 0:
            vectors = jitter(vectors, self.jitter)
        wave = self.companding.preemphasize(wave).clamp(-1, 1)
        codes, samples = self._segment(vectors.shape[1], wave.shape[1])
        condition = vectors[:, codes], speaker, _of(f0, codes), _of(phase, samples)
        levels = self.companding.encode(wave[:, samples])
        if self.source_filter is None:
            return self._cross_entropy(wavenet(self._noisy_input(levels), *condition), levels)
        with torch.no_grad():
            told = self._segment_params(codes, vectors, speaker, f0)
            carrier = self._harmonic_signal(told, wave[:, samples], _of(phase, samples))
            classes = self.source_filter.quantize_excitation(
                self.source_filter.excitation(wave[:, samples], told, carrier)
            )
            density = self.source_filter.log_density(classes, told).mean()
            nats = -density - self.companding.log_widths[levels].mean()
        return nats + self._cross_entropy(wavenet(self._noisy_input(classes), *condition), classes)

    def source_filter_loss(
        self,
        wave: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """What source, filter and intonation learn from, before the WaveNet does; arguments as of `nats`, to ()."""
        assert self.source_filter is not None
        if self.training and self.jitter > 0:
            vectors = jitter(vectors, self.jitter)
        f0, voices = (
            self._f0_at_code_rate(f0, wave, vectors),
            self.wavenet.conditioning.speaker_vectors(speaker),
        )
        wave = self.companding.preemphasize(wave).clamp(-1, 1)
        spectral = self.source_filter.spectral_loss(
            wave, self.source_filter.predict_log_mel(vectors, voices, f0)
        )
        # Harmonics are dear, sample by sample; an excerpt teaches them as well.
        codes, samples = self._segment(vectors.shape[1], wave.shape[1])
        told = self._segment_params(codes, vectors, speaker, f0)
        wave, phase = wave[:, samples], _of(phase, samples)
        loss = spectral + self.source_filter.source_loss(
            wave, told, self._harmonic_signal(told, wave, phase), phase
        )
        if self.intonation is not None and f0 is not None:
            loss = loss + self.intonation.loss(vectors, voices, f0)
        return loss

    def _segment_params(
        self, codes: slice, vectors: Tensor, speaker: Tensor, pitch: Tensor | None
    ) -> SourceFilterParams:
        """What is told in some of the codes, as it is among all of them."""
        assert self.source_filter is not None
        first = max(codes.start - self.source_filter.context_codes, 0)
        around = slice(first, codes.stop + self.source_filter.context_codes)
        told = self.predict_params(vectors[:, around], speaker, _of(pitch, around))
        return self.source_filter.slice_params(told, slice(codes.start - first, codes.stop - first))

    def _harmonic_signal(self, told: SourceFilterParams, wave: Tensor, phase: Tensor | None) -> Tensor:
        assert self.source_filter is not None
        return (
            torch.zeros_like(wave)
            if phase is None
            else self.source_filter.harmonic_signal(told.harmonics, phase)
        )

    def _segment(self, codes: int, samples: int) -> tuple[slice, slice]:
        """Which part of a crop is learnt from, or measured, in codes and in samples: in all rows the same."""
        hop = samples // codes
        count = min(-(-self.segment_length // hop), codes) if self.segment_length else codes
        first = int(torch.randint(codes - count + 1, ())) if self.training else (codes - count) // 2
        return slice(first, first + count), slice(first * hop, (first + count) * hop)

    def _f0_at_code_rate(self, pitch: Tensor | None, wave: Tensor, vectors: Tensor) -> Tensor | None:
        """The contour at the code rate, or None for a decoder that is not told it."""
        if pitch is None or not self.wavenet.config.condition_on_f0:
            return None
        return f0_at_code_rate(pitch, vectors.shape[1], wave.shape[1] // vectors.shape[1])

    def _noisy_input(self, classes: Tensor) -> Tensor:
        if not (self.training and self.input_noise > 0):
            return classes
        return add_input_noise(classes, self.input_noise, self.wavenet.config.mulaw_bins)

    @staticmethod
    def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1).float(), classes.flatten())


def _of(row: Tensor | None, part: slice) -> Tensor | None:
    """A part of each row (B, n), where there are rows."""
    return None if row is None else row[:, part]


def add_input_noise(classes: Tensor, max_std: float, count: int) -> Tensor:
    """Samples as the decoder hears them in training: with noise whose deviation is another in every crop.

    When it speaks, the past is its own and never perfect; a decoder that has only heard perfect pasts drifts away from
    the codes (Valin and Skoglund 2019, section 3.4).

    Args:
        classes: (B, T), int64.
        noise: largest deviation, in classes.
        count: of the classes there are.
    """
    deviation = max_std * torch.rand(len(classes), 1, device=classes.device)
    moved = classes + deviation * torch.randn(classes.shape, device=classes.device)
    return moved.round().long().clamp(0, count - 1)
