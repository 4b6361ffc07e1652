"""The decoder: codes and speaker to the parameters of speech, and the likelihood or the waveform."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import f0_at_code_rate, f0_features
from speechvq.audio.mulaw import MuLawCodec
from speechvq.config import SpeechConfig
from speechvq.speech.decoder.augmentation import add_input_noise, time_jitter
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.f0_predictor import F0Predictor
from speechvq.speech.source_filter.source_filter import SourceFilter, SourceFilterParams
from speechvq.speech.source_filter.synthesis import synthesize_from_noise
from speechvq.speech.vocoder.vocoder import Vocoder

TRAINING_HARMONIC_BOOST = 0.9  # of the signal that the vocoder learns from; the default of `SamplingOptions`


class Decoder(nn.Module):
    """A WaveNet over mu-law bins of the waveform, as in the paper, or of a filter's excitation; or a vocoder.

    A decoder with a vocoder has no WaveNet: it synthesizes in one pass, and gives no likelihood.
    """

    def __init__(self, config: SpeechConfig, num_speakers: int, mulaw: MuLawCodec) -> None:
        """
        Args:
            config: sizes and options.
            num_speakers: S.
            mulaw: codec of the waveform.
        """
        super().__init__()
        self.jitter, self.input_noise = config.jitter, config.input_noise
        self.segment_length = config.decoder_segment_length
        self.mulaw = mulaw
        dim, speaker_dim = config.quantizer.dim, config.wavenet.speaker_dim
        self.condition_on_f0 = config.wavenet.condition_on_f0
        self.wavenet: WaveNet | None = None
        self.vocoder: Vocoder | None = None
        if config.vocoder.channels:
            self.speakers = nn.Embedding(num_speakers, speaker_dim)
            self.vocoder = Vocoder(config.vocoder, config.source_filter.mel_bands, speaker_dim)
        else:
            self.wavenet = WaveNet(config.wavenet, dim, num_speakers)
        self.source_filter: SourceFilter | None = None
        self.f0_predictor: F0Predictor | None = None
        if config.source_filter.filter_order:
            num_bins = config.wavenet.mulaw_bins
            self.source_filter = SourceFilter(config.source_filter, dim, speaker_dim, num_bins, config.hop)
            if config.source_filter.num_harmonics:
                self.f0_predictor = F0Predictor(dim, speaker_dim)
            # The initial prediction is the Laplace density that the source-filter model assumes.
            if self.wavenet is not None:
                bias = self.source_filter.log_bin_widths - self.source_filter.bin_centers.abs()
                self.wavenet.logits.bias.data = bias

    @property
    def speaker_embedding(self) -> nn.Embedding:
        """The table of the known speakers' embeddings, (S, V)."""
        return self.speakers if self.wavenet is None else self.wavenet.conditioning.speaker_embedding

    def embed_speaker(self, speaker: Tensor) -> Tensor:
        """Embeddings (B, V) of speaker indices (B,), int64; embeddings of enrolled voices pass through."""
        return speaker if speaker.is_floating_point() else self.speaker_embedding(speaker)

    def predict_params(
        self,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        num_frames: Tensor | None = None,
        harmonic_boost: float = 0.0,
        log_mel: Tensor | None = None,
    ) -> SourceFilterParams:
        """Parameters of the source-filter model.

        Args:
            vectors: (B, N, D), quantized.
            speaker: (B,), int64, speaker indices, or (B, V), speaker embeddings.
            f0, num_frames, harmonic_boost, log_mel: see `SourceFilter.forward`.
        """
        embedding = self.embed_speaker(speaker)
        return self._source_filter()(vectors, embedding, f0, num_frames, harmonic_boost, log_mel)

    def nll(
        self,
        wave: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """-log p(mu-law bins of the waveform | vectors, speaker), nats per sample, ().

        If a segment length is configured, the mean is over a segment of that length: a random one in
        training, the middle one in evaluation.

        A source-filter model gets no gradients here; `source_filter_loss` trains it.

        With a source-filter model, the value is the negative log-density of the waveform, scaled by the width
        of each sample's mu-law bin, so that both kinds of decoder can be compared.

        Args:
            wave: (B, T), T a multiple of the hop.
            vectors: (B, N, D), quantized.
            speaker: (B,), int64, speaker indices, or (B, V), speaker embeddings.
            f0: (B, F), Hz, 0 where unvoiced, every 10 ms; for a decoder that is conditioned on F0.
            phase: (B, T), bins of `audio.glottal_phase`; for a decoder that is conditioned on the phase.

        Raises:
            ValueError: a decoder with a vocoder has no likelihood.
        """
        wavenet = self._wavenet()
        f0 = self._f0_at_code_rate(f0, wave, vectors)
        if self.training and self.jitter > 0:
            vectors = time_jitter(vectors, self.jitter)
        wave = self.mulaw.preemphasize(wave).clamp(-1, 1)
        codes, samples = self._segment(vectors.shape[1], wave.shape[1])
        condition = vectors[:, codes], speaker, _slice(f0, codes), _slice(phase, samples)
        bins = self.mulaw.encode(wave[:, samples])
        if self.source_filter is None:
            return self._cross_entropy(wavenet(self._noisy_input(bins), *condition), bins)
        with torch.no_grad():
            params = self._segment_params(codes, vectors, speaker, f0)
            harmonic = self._harmonic_signal(params, wave[:, samples], _slice(phase, samples))
            excitation = self.source_filter.excitation(wave[:, samples], params, harmonic)
            excitation_bins = self.source_filter.quantize_excitation(excitation)
            log_density = self.source_filter.log_density(excitation_bins, params).mean()
            nats = -log_density - self.mulaw.log_widths[bins].mean()
        logits = wavenet(self._noisy_input(excitation_bins), *condition)
        return nats + self._cross_entropy(logits, excitation_bins)

    def source_filter_loss(
        self,
        wave: Tensor,
        vectors: Tensor,
        speaker: Tensor,
        f0: Tensor | None = None,
        phase: Tensor | None = None,
    ) -> Tensor:
        """Pre-training loss of source-filter model and F0 predictor, (); arguments as in `nll`."""
        source_filter = self._source_filter()
        if self.training and self.jitter > 0:
            vectors = time_jitter(vectors, self.jitter)
        f0 = self._f0_at_code_rate(f0, wave, vectors)
        embedding = self.embed_speaker(speaker)
        wave = self.mulaw.preemphasize(wave).clamp(-1, 1)
        loss = source_filter.spectral_loss(wave, source_filter.predict_log_mel(vectors, embedding, f0))
        # The harmonics are expensive, because they run at the sample rate. A segment is enough for them.
        codes, samples = self._segment(vectors.shape[1], wave.shape[1])
        params = self._segment_params(codes, vectors, speaker, f0)
        wave, phase = wave[:, samples], _slice(phase, samples)
        harmonic = self._harmonic_signal(params, wave, phase)
        loss = loss + source_filter.source_loss(wave, params, harmonic, phase)
        if self.f0_predictor is not None and f0 is not None:
            loss = loss + self.f0_predictor.loss(vectors, embedding, f0)
        return loss

    def resynthesize_segment(
        self, wave: Tensor, vectors: Tensor, speaker: Tensor, f0: Tensor, phase: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Segments of the waveforms as the vocoder synthesizes them from the codes, and as they are.

        Only the vocoder gets gradients. Arguments as in `nll`.

        Returns:
            (B, n) each, pre-emphasized.
        """
        f0_of_codes = self._f0_at_code_rate(f0, wave, vectors)
        codes, samples = self._segment(vectors.shape[1], wave.shape[1])
        with torch.no_grad():
            params = self._segment_params(codes, vectors, speaker, f0_of_codes, TRAINING_HARMONIC_BOOST)
            source = synthesize_from_noise(
                self._source_filter(), params, torch.rand_like(wave[:, samples]), phase[:, samples]
            )
        assert f0_of_codes is not None
        features = self.vocoder_f0_features(f0_of_codes)[..., self._source_filter().frames_of(codes)]
        synthesized = self.apply_vocoder(source, params.log_mel, speaker, features)
        return synthesized, self.mulaw.preemphasize(wave).clamp(-1, 1)[:, samples]

    def apply_vocoder(
        self,
        source: Tensor,
        log_mel: Tensor,
        speaker: Tensor,
        f0_features: Tensor,
        num_frames: Tensor | None = None,
    ) -> Tensor:
        """Waveforms (B, T), pre-emphasized, of a source-filter signal.

        Args:
            speaker: see `predict_params`.
            source, log_mel, f0_features, num_frames: see `Vocoder.forward`.
        """
        assert self.vocoder is not None, "this decoder has no vocoder"
        return self.vocoder(source, log_mel, self.embed_speaker(speaker), f0_features, num_frames)

    def vocoder_f0_features(self, f0: Tensor) -> Tensor:
        """The vocoder's F0 input for each spectrum, (B, 2, L), from the F0 of the codes (B, N), Hz."""
        return f0_features(f0).repeat_interleave(self._source_filter().frames_per_code, 2)

    def _wavenet(self) -> WaveNet:
        if self.wavenet is None:
            raise ValueError("this model's decoder is a vocoder, which gives no likelihood")
        return self.wavenet

    def _source_filter(self) -> SourceFilter:
        assert self.source_filter is not None, "this decoder has no source-filter model"
        return self.source_filter

    def _segment_params(
        self, codes: slice, vectors: Tensor, speaker: Tensor, f0: Tensor | None, harmonic_boost: float = 0.0
    ) -> SourceFilterParams:
        """Parameters of a segment of the codes, equal to those predicted from all codes."""
        source_filter = self._source_filter()
        first = max(codes.start - source_filter.context_codes, 0)
        around = slice(first, codes.stop + source_filter.context_codes)
        params = self.predict_params(
            vectors[:, around], speaker, _slice(f0, around), harmonic_boost=harmonic_boost
        )
        return source_filter.slice_params(params, slice(codes.start - first, codes.stop - first))

    def _harmonic_signal(self, params: SourceFilterParams, wave: Tensor, phase: Tensor | None) -> Tensor:
        if phase is None:
            return torch.zeros_like(wave)
        return self._source_filter().harmonic_signal(params.harmonics, phase)

    def _segment(self, num_codes: int, num_samples: int) -> tuple[slice, slice]:
        """Segment of a crop that the loss is computed on, in codes and in samples; the same in all rows."""
        hop = num_samples // num_codes
        count = min(-(-self.segment_length // hop), num_codes) if self.segment_length else num_codes
        first = int(torch.randint(num_codes - count + 1, ())) if self.training else (num_codes - count) // 2
        return slice(first, first + count), slice(first * hop, (first + count) * hop)

    def _f0_at_code_rate(self, f0: Tensor | None, wave: Tensor, vectors: Tensor) -> Tensor | None:
        """F0 of each code, Hz, (B, N), or None for a decoder that is not conditioned on F0."""
        if f0 is None or not self.condition_on_f0:
            return None
        return f0_at_code_rate(f0, vectors.shape[1], wave.shape[1] // vectors.shape[1])

    def _noisy_input(self, bins: Tensor) -> Tensor:
        if not (self.training and self.input_noise > 0):
            return bins
        return add_input_noise(bins, self.input_noise, self.mulaw.num_bins)

    @staticmethod
    def _cross_entropy(logits: Tensor, bins: Tensor) -> Tensor:
        return F.cross_entropy(logits.flatten(0, 1).float(), bins.flatten())


def _slice(rows: Tensor | None, part: slice) -> Tensor | None:
    """Columns of rows (B, n), or None."""
    return None if rows is None else rows[:, part]
