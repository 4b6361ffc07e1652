"""The WaveNet as a likelihood: codes and speaker in, nats of the waveform out."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config import SpeechConfig
from speechvq.speech.companding import Companding
from speechvq.speech.contour import at_code_rate
from speechvq.speech.encoder import jitter
from speechvq.speech.source_filter import SourceFilter, Told
from speechvq.speech.wavenet import WaveNet


class Decoder(nn.Module):
    """A WaveNet over mu-law levels of the waveform, as in the paper; or over the excitation of a `SourceFilter`."""

    def __init__(self, config: SpeechConfig, speakers: int, companding: Companding) -> None:
        super().__init__()
        self.jitter, self.noise, self.companding = config.jitter, config.noise, companding
        self.wavenet = WaveNet(config.wavenet, config.quantizer.dim, speakers)
        self.source_filter = None
        if config.source_filter.order:
            dim, voice, levels = config.quantizer.dim, config.wavenet.speaker, config.wavenet.levels
            self.source_filter = SourceFilter(config.source_filter, dim, voice, levels)
            # The WaveNet begins where the filter ends: with a Laplace density of the excitation.
            self.wavenet.logits.bias.data = self.source_filter.log_widths - self.source_filter.sizes.abs()

    def told(
        self, vectors: Tensor, speaker: Tensor, pitch: Tensor | None = None, frames: Tensor | None = None
    ) -> Told:
        """What the codes tell the source and the filter; arguments as of `FrameNetwork`, speaker (B,), int64."""
        assert self.source_filter is not None
        return self.source_filter(vectors, self.wavenet.conditioning.voices(speaker), pitch, frames)

    def nats(
        self,
        wave: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        pitch: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """-log p(mu-law levels | vectors, speaker), nats a sample, ().

        With a source and a filter it is that of a density, in each sample's level; in training its gradient is also
        that of their own losses.

        Args:
            wave: (B, T), T a multiple of the hop.
            vectors: (B, N, D).
            speaker: (B,), int64.
            pitch: (B, F), Hz, 0 where unvoiced, 10 ms apart; for a decoder that is told the pitch.
            phase: (B, T), classes of `audio.phase`; for a decoder that is told the phase.
        """
        wavenet, pitch = self.wavenet, self._pitch(pitch, wave, vectors)
        if self.training and self.jitter > 0:
            vectors = jitter(vectors, self.jitter)
        wave = self.companding.emphasise(wave).clamp(-1, 1)
        if self.source_filter is None:
            levels = self.companding.to_levels(wave)
            return self._cross_entropy(wavenet(self._heard(levels), vectors, speaker, pitch, phase), levels)
        told = self.told(vectors, speaker, pitch)
        carrier = torch.zeros_like(wave) if phase is None else self.source_filter.carrier(told.harmonics, phase)
        with torch.no_grad():
            classes = self.source_filter.classes(self.source_filter.excitation(wave, told, carrier))
            density = self.source_filter.log_density(classes, told).mean()
            nats = -density - self.companding.log_widths[self.companding.to_levels(wave)].mean()
        nats = nats + self._cross_entropy(wavenet(self._heard(classes), vectors, speaker, pitch, phase), classes)
        if self.training:
            others = self.source_filter.losses(wave, told, carrier, phase)
            nats = nats + others - others.detach()
        return nats

    def source_filter_loss(
        self,
        wave: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        pitch: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """What source and filter learn from before the WaveNet does; arguments as of `nats`, to ()."""
        assert self.source_filter is not None
        told = self.told(vectors, speaker, self._pitch(pitch, wave, vectors))
        wave = self.companding.emphasise(wave).clamp(-1, 1)
        carrier = torch.zeros_like(wave) if phase is None else self.source_filter.carrier(told.harmonics, phase)
        return self.source_filter.losses(wave, told, carrier, phase)

    def _pitch(self, pitch: Tensor | None, wave: Tensor, vectors: Tensor) -> Tensor | None:
        """The contour at the code rate, or None for a decoder that is not told it."""
        if pitch is None or not self.wavenet.config.pitch:
            return None
        return at_code_rate(pitch, vectors.shape[1], wave.shape[1] // vectors.shape[1])

    def _heard(self, classes: Tensor) -> Tensor:
        if not (self.training and self.noise > 0):
            return classes
        return spoilt(classes, self.noise, self.wavenet.config.levels)

    @staticmethod
    def _cross_entropy(logits: Tensor, classes: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1).float(), classes.flatten())


def spoilt(classes: Tensor, noise: float, count: int) -> Tensor:
    """Samples as the decoder hears them in training: with noise whose deviation is another in every crop.

    When it speaks, the past is its own and never perfect; a decoder that has only heard perfect pasts drifts away from
    the codes (Valin and Skoglund 2019, section 3.4).

    Args:
        classes: (B, T), int64.
        noise: largest deviation, in classes.
        count: of the classes there are.
    """
    deviation = noise * torch.rand(len(classes), 1, device=classes.device)
    moved = classes + deviation * torch.randn(classes.shape, device=classes.device)
    return moved.round().long().clamp(0, count - 1)
