"""Sampled mu-law bins to waveforms: by mu-law decoding alone, or through the source-filter model."""

import numpy as np
import torch
from torch import Tensor

from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.source_filter.synthesis import filter_excitation

NORMALIZATION_FRAMES = 4  # previous spectra whose excitation is averaged with that of the current one
LAPLACE_VARIANCE = 2.0  # of a Laplace density of scale 1


class Postprocessor:
    """Waveforms of all streams of a request, chunk by chunk; keeps the state between two chunks."""

    def __init__(self, decoder: Decoder, request: SynthesisRequest, harmonic_boost: float = 0.0) -> None:
        """
        Args:
            decoder: of the model.
            request: the request that is sampled.
            harmonic_boost: see `SourceFilter.forward`.
        """
        self.decoder, self.request, self.harmonic_boost = decoder, request, harmonic_boost
        self.done = 0  # code frames
        self.last_sample: Tensor | None = None  # (B,), of the waveform
        order = 0 if decoder.source_filter is None else decoder.source_filter.order
        # Of the all-pole filter, the newest first.
        self.past_outputs = np.zeros((len(request.vectors), order))
        # Mean square of the excitation of the last spectra.
        self.energies = torch.full((len(request.vectors), NORMALIZATION_FRAMES), LAPLACE_VARIANCE)

    def __call__(self, bins: Tensor) -> Tensor:
        """Waveforms (B, n) of the next bins (B, n), n a multiple of the hop."""
        mulaw = self.decoder.mulaw
        if self.decoder.source_filter is None:
            emphasized = mulaw.decode(bins)
        else:
            emphasized = self._apply_source_filter(bins)
        self.done += bins.shape[1] // self.request.hop
        wave = mulaw.deemphasize(emphasized, self.last_sample)
        self.last_sample = wave[:, -1]
        return wave

    def normalize_excitation(self, excitation: Tensor, hop: int) -> Tensor:
        """Scale an excitation (B, T) to the variance that the WaveNet was trained on.

        A WaveNet follows the loudness of its own past and would drift. The samples of each spectrum are
        divided by the RMS over this spectrum and the four before it, 50 ms in all.

        Args:
            excitation: (B, T).
            hop: samples per spectrum.
        """
        energy = excitation.unflatten(1, (-1, hop)).square().mean(-1)
        energies = torch.cat([self.energies.to(energy), energy], dim=1)
        self.energies = energies[:, -NORMALIZATION_FRAMES:]
        mean = energies.unfold(1, NORMALIZATION_FRAMES + 1, 1).mean(-1).clamp_min(1e-3)
        return excitation * (LAPLACE_VARIANCE / mean).sqrt().repeat_interleave(hop, dim=1)

    @torch.no_grad()
    def _apply_source_filter(self, bins: Tensor) -> Tensor:
        """Pre-emphasized waveform of the next bins (B, n): filtered excitation plus harmonics."""
        model, hop = self.decoder.source_filter, self.request.hop
        assert model is not None
        start, stop = self.done, self.done + bins.shape[1] // hop
        part, valid = self.request.with_context(start, stop, model.context_codes)
        params = self.decoder.predict_params(
            part.vectors, part.speaker, part.f0, part.num_frames, self.harmonic_boost
        )
        excitation = self.normalize_excitation(model.bin_centers[bins], hop // model.frames_per_code)
        wave = filter_excitation(excitation, model.slice_params(params, valid), self.past_outputs)
        if part.phase is None:
            return wave
        return (
            wave
            + model.harmonic_signal(params.harmonics, part.phase)[:, valid.start * hop : valid.stop * hop]
        )
