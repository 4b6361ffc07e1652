"""What the WaveNet drew, made into sound: by mu-law alone, or through the harmonics and the filter that the codes tell."""

import numpy as np
import torch
from torch import Tensor

from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling.request import SynthesisRequest

NORMALIZATION_FRAMES = 4  # spectra before one whose excitation is levelled with its own
LAPLACE_VARIANCE = 2.0  # of a Laplace density of size 1


class Postprocessor:
    """All streams of a request, piece by piece; it keeps what the next piece needs of the last."""

    def __init__(self, decoder: Decoder, request: SynthesisRequest, harmonic_boost: float = 0.0) -> None:
        """`harmonic_boost` as in `SourceFilter.forward`."""
        self.decoder, self.request, self.harmonic_boost = decoder, request, harmonic_boost
        self.done = 0  # code frames
        self.last: Tensor | None = None  # (B,), of the waveform
        order = 0 if decoder.source_filter is None else decoder.source_filter.order
        self.past = np.zeros((len(request.vectors), order))  # of the noise, the newest first
        self.energies = torch.full(
            (len(request.vectors), NORMALIZATION_FRAMES), LAPLACE_VARIANCE
        )  # of the last spectra's excitation

    def __call__(self, classes: Tensor) -> Tensor:
        """The next classes (B, n), n a multiple of the hop, to waveform (B, n)."""
        companding = self.decoder.companding
        if self.decoder.source_filter is None:
            emphasised = companding.decode(classes)
        else:
            emphasised = self._apply_source_filter(classes)
        self.done += classes.shape[1] // self.request.hop
        wave = companding.deemphasize(emphasised, self.last)
        self.last = wave[:, -1]
        return wave

    def normalize_excitation(self, excitation: Tensor, step: int) -> Tensor:
        """An excitation (B, T) at its size: a WaveNet follows the loudness of its own past, and would drift.

        Each spectrum's `step` samples are divided by the size of themselves and of what was before, 50 ms in all.
        """
        own = excitation.unflatten(1, (-1, step)).square().mean(-1)
        energies = torch.cat([self.energies.to(own), own], dim=1)
        self.energies = energies[:, -NORMALIZATION_FRAMES:]
        gain = (
            LAPLACE_VARIANCE / energies.unfold(1, NORMALIZATION_FRAMES + 1, 1).mean(-1).clamp_min(1e-3)
        ).sqrt()
        return excitation * gain.repeat_interleave(step, dim=1)

    @torch.no_grad()
    def _apply_source_filter(self, classes: Tensor) -> Tensor:
        model, hop = self.decoder.source_filter, self.request.hop
        assert model is not None
        first, last = self.done, self.done + classes.shape[1] // hop
        part, own = self.request.with_context(first, last, model.context_codes)
        told = self.decoder.predict_params(
            part.vectors, part.speaker, part.f0, part.num_frames, self.harmonic_boost
        )
        step, heard = hop // model.frames_per_code, model.slice_params(told, own)
        size = (-heard.log_inv_scale).exp().repeat_interleave(step, dim=1)
        excitation = (self.normalize_excitation(model.sizes[classes], step) * size).double().cpu().numpy()
        taps = heard.taps.double().cpu().numpy()
        from speechvq.speech.sampling.all_pole import all_pole  # numba takes a second to import

        for row, weights in enumerate(np.ascontiguousarray(taps)):
            all_pole(excitation[row], weights, self.past[row], step)
        sound = torch.from_numpy(excitation).float().to(classes.device)
        if part.phase is None:
            return sound
        return sound + model.harmonic_signal(told.harmonics, part.phase)[:, own.start * hop : own.stop * hop]
