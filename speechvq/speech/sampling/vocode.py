"""Synthesis with a vocoder: source-filter signal and vocoder, chunk by chunk."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling.request import SynthesisRequest, Uniforms
from speechvq.speech.source_filter.synthesis import filter_excitation, laplace

CHUNK_CODES = 200  # synthesized at once; bounds the memory


class SourceSignal:
    """Source-filter signal of all streams of a request, chunk by chunk; keeps the state of the filter."""

    def __init__(self, decoder: Decoder, request: SynthesisRequest, uniforms: Uniforms, boost: float) -> None:
        """
        Args:
            decoder: of the model.
            request: codes and conditions.
            uniforms: random numbers start to stop of all streams.
            boost: `harmonic_boost`, see `SourceFilter.forward`.
        """
        assert decoder.source_filter is not None
        self.decoder, self.request, self.uniforms, self.boost = decoder, request, uniforms, boost
        self.model = decoder.source_filter
        self.past = np.zeros((len(request.vectors), self.model.order))

    def __call__(self, start: int, stop: int) -> tuple[Tensor, Tensor]:
        """Signal (B, n x hop) and log-mel spectra (B, L, M) of code frames start to stop, the next ones."""
        hop = self.request.hop
        part, valid = self.request.with_context(start, stop, self.model.context_codes)
        params = self.decoder.predict_params(part.vectors, part.speaker, part.f0, part.num_frames, self.boost)
        current = self.model.slice_params(params, valid)
        noise = laplace(self.uniforms(start * hop, stop * hop))
        signal = filter_excitation(noise, current, self.past)
        assert part.phase is not None
        harmonic = self.model.harmonic_signal(params.harmonics, part.phase)
        return signal + harmonic[:, valid.start * hop : valid.stop * hop], current.log_mel


@torch.no_grad()
def vocode(
    decoder: Decoder, request: SynthesisRequest, uniforms: Uniforms, harmonic_boost: float
) -> Iterator[Tensor]:
    """Waveforms of all streams, (B, n x hop) for each chunk of n code frames.

    The chunks are those of the whole: each is computed with the frames around it that it depends on.

    Args:
        decoder: with a vocoder.
        request: codes and conditions of the streams.
        uniforms: random numbers start to stop of all streams.
        harmonic_boost: see `SourceFilter.forward`.
    """
    vocoder, source_filter = decoder.vocoder, decoder.source_filter
    assert vocoder is not None and source_filter is not None and request.f0 is not None
    step, hop, num_codes = source_filter.frames_per_code, request.hop, request.vectors.shape[1]
    past, future = (-(-frames // step) for frames in vocoder.context_frames)
    features = decoder.vocoder_f0_features(request.f0)
    source_of = SourceSignal(decoder, request, uniforms, harmonic_boost)
    num_streams, bands = len(request.vectors), source_filter.spectrum.filters.shape[1]
    # Signal and spectra of code frames `low` to `high`.
    signal, log_mel = features.new_empty(num_streams, 0), features.new_empty(num_streams, 0, bands)
    low = high = 0
    last = None  # last sample of the waveforms so far
    for start in range(0, num_codes, CHUNK_CODES):
        stop = min(start + CHUNK_CODES, num_codes)
        if (new_high := min(stop + future, num_codes)) > high:
            new = source_of(high, new_high)
            signal, log_mel, high = torch.cat([signal, new[0]], 1), torch.cat([log_mel, new[1]], 1), new_high
        new_low = max(start - past, 0)
        signal, log_mel = signal[:, (new_low - low) * hop :], log_mel[:, (new_low - low) * step :]
        low = new_low
        frames = source_filter.frames_of(slice(low, high))
        valid = None
        if request.num_frames is not None:
            valid = (request.num_frames * step - frames.start).clamp(0, frames.stop - frames.start)
        wave = decoder.apply_vocoder(signal, log_mel, request.speaker, features[..., frames], valid)
        wave = decoder.mulaw.deemphasize(wave[:, (start - low) * hop : (stop - low) * hop], last)
        last = wave[:, -1]
        yield wave
