"""The source-filter signal on a stream: harmonics plus filtered noise, from codes and F0."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.f0_conditioning import REFERENCE_F0
from speechvq.audio.glottal_phase import NUM_PHASE_BINS, UNVOICED
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.source_filter.source_filter import SourceFilter, SourceFilterParams
from speechvq.speech.source_filter.synthesis import filter_excitation
from speechvq.speech.streaming.layers import FrameNetworkStream, Joined, pointwise


class PhaseStream:
    """Phase bins of a synthetic voice, as `glottal_phase.phase_from_f0`, frame by frame.

    Between two frames F0 is interpolated if both are voiced; elsewhere it keeps its last value.
    """

    def __init__(self) -> None:
        self._cycles, self._last = 0.0, REFERENCE_F0

    def push(self, f0: float, following: float) -> np.ndarray:
        """Phase bins (F0_HOP,), uint8, from the center of a frame to that of the following one, F0 in Hz."""
        start = f0 if f0 > 0 else following if following > 0 else self._last
        stop = following if following > 0 else start
        self._last = stop
        cycles = self._cycles + np.cumsum(np.linspace(start, stop, F0_HOP, endpoint=False)) / SAMPLE_RATE
        self._cycles = float(cycles[-1] % 1.0)
        phase = 1 + np.minimum((cycles % 1.0) * NUM_PHASE_BINS, NUM_PHASE_BINS - 1).astype(np.int64)
        half = F0_HOP // 2
        phase[:half] = phase[:half] if f0 > 0 else UNVOICED
        phase[half:] = phase[half:] if following > 0 else UNVOICED
        return phase.astype(np.uint8)


class ParamsStream:
    """Log-mel spectra and harmonic outputs of the networks, for frames of codes."""

    def __init__(self, model: SourceFilter) -> None:
        """
        Args:
            model: the source-filter model, with limited look-ahead.
        """
        self._mel, self._harmonic = (
            FrameNetworkStream(model.mel_network),
            FrameNetworkStream(model.harmonic_network),
        )
        self._joined = Joined()
        self._model = model
        self.lookahead = max(self._mel.lookahead, self._harmonic.lookahead)

    def push(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Outputs of the heads, (1, M, m) and (1, 2 x NUM_FREQS, m), from inputs (1, D + V + 2, n)."""
        mel, harmonic = self._joined.push(self._mel.push(inputs), self._harmonic.push(inputs))
        return pointwise(self._model.mel_head, mel), pointwise(self._model.harmonic_head, harmonic)


class SourceStream:
    """Signal of frames of parameters; it reaches to the center of the newest frame.

    The amplitudes of the harmonics are interpolated between the centers of two frames.
    """

    def __init__(self, model: SourceFilter, seed: int) -> None:
        """
        Args:
            model: the source-filter model.
            seed: of the noise.
        """
        self._model, self._rng = model, np.random.default_rng(seed)
        self._past = np.zeros((1, model.order))
        self._before: Tensor | None = None  # amplitudes of the last frame, (1, 1, 2 H)
        self._noise = torch.empty(1, 0)  # noise from the center of the last frame on
        self._phase = torch.empty(1, 0, dtype=torch.uint8)

    def push(self, params: SourceFilterParams, phase: np.ndarray) -> Tensor:
        """Signal (T,) that is complete now.

        Args:
            params: of the next frame, (1, 1, ...).
            phase: (F0_HOP,), its phase bins.
        """
        excitation = torch.from_numpy(self._rng.laplace(size=(1, F0_HOP)))
        noise = torch.cat([self._noise, filter_excitation(excitation, params, self._past)], dim=1)
        phases = torch.cat([self._phase, torch.from_numpy(phase)[None]], dim=1)
        count = noise.shape[1] - F0_HOP // 2
        before = params.harmonics if self._before is None else self._before
        # The first half frame has the amplitudes of the first frame.
        weight = (torch.arange(count) + 0.5) / F0_HOP if self._before is not None else torch.zeros(count)
        rows = F.embedding(phases[0, :count].long(), self._model.cycle_table)
        low, high = (rows @ each[0, 0] for each in (before, params.harmonics))
        signal = noise[0, :count] + torch.lerp(low, high, weight)
        self._before, self._noise, self._phase = params.harmonics, noise[:, count:], phases[:, count:]
        return signal
