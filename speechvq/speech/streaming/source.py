"""The source-filter signal on a stream: harmonics plus filtered noise, from codes and F0."""

import math

import numpy as np

from speechvq.audio.f0 import F0_HOP
from speechvq.audio.f0_conditioning import REFERENCE_F0
from speechvq.audio.glottal_phase import NUM_PHASE_BINS, UNVOICED
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.sampling.all_pole import all_pole, levinson_durbin
from speechvq.speech.source_filter.source_filter import SourceFilter
from speechvq.speech.source_filter.spectral_envelope import NOISE_FLOOR, NUM_FREQS
from speechvq.speech.streaming.layers import FrameNetworkStream, Joined, Linear, as_array
from speechvq.speech.streaming.source_kernels import SpectrumTables, add_harmonics, noise_and_harmonics


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
        self._mel_head, self._harmonic_head = (
            Linear(head.weight[..., 0], head.bias) for head in (model.mel_head, model.harmonic_head)
        )
        self.lookahead = max(self._mel.lookahead, self._harmonic.lookahead)

    def push(self, inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Outputs of the heads, (m, M) and (m, 2 x NUM_FREQS), from inputs (n, D + V + 2)."""
        mel, harmonic = self._joined.push(self._mel.push(inputs), self._harmonic.push(inputs))
        return self._mel_head(mel), self._harmonic_head(harmonic)


class SourceStream:
    """Signal of frames of parameters; it reaches to the center of the newest frame.

    The amplitudes of the harmonics are interpolated between the centers of two frames.
    """

    def __init__(self, model: SourceFilter, seed: int, harmonic_boost: float) -> None:
        """
        Args:
            model: the source-filter model.
            seed: of the noise.
            harmonic_boost: see `SourceFilter.forward`.
        """
        self._rng = np.random.default_rng(seed)
        self._tables = SpectrumTables(as_array(model.log_bias), as_array(model.mel_to_freqs), harmonic_boost)
        self._to_autocorrelation = as_array(model.to_autocorrelation).astype(np.float64)
        self._cycles = as_array(model.cycle_table)
        self._past = np.zeros(model.order)
        self._before: np.ndarray | None = None  # amplitudes of the last frame, (2 H,)
        self._noise = np.empty(0)  # noise from the center of the last frame on
        self._phase = np.empty(0, np.uint8)

    def push(
        self, mel: np.ndarray, outputs: np.ndarray, f0: np.ndarray, filled_f0: np.ndarray, phase: np.ndarray
    ) -> np.ndarray:
        """Signal (T,), float32, that is complete now.

        Args:
            mel, outputs: of the networks for the next frames, (n, M) and (n, 2 x NUM_FREQS), float32.
            f0: (n,), Hz, 0 where unvoiced.
            filled_f0: (n,), with unvoiced frames filled.
            phase: (n, F0_HOP), phase bins.
        """
        frames = [self._frame(*each) for each in zip(mel, outputs, f0.tolist(), filled_f0.tolist(), phase)]
        return np.concatenate([np.empty(0, np.float32), *frames])

    def _frame(
        self, mel: np.ndarray, outputs: np.ndarray, f0: float, filled_f0: float, phase: np.ndarray
    ) -> np.ndarray:
        """Signal (T,) that the next frame completes."""
        power, amplitudes = np.empty(NUM_FREQS), np.empty(self._cycles.shape[1], np.float32)
        noise_and_harmonics(mel, outputs, f0, filled_f0, self._tables, power, amplitudes)
        correlation = power @ self._to_autocorrelation
        correlation[0] *= 1 + NOISE_FLOOR
        taps = np.empty((1, len(self._past)))
        # The excitation has a Laplace density with the variance of the prediction error.
        scale = math.sqrt(levinson_durbin(correlation, taps[0]) / 2)
        excitation = scale * self._rng.laplace(size=F0_HOP)
        all_pole(excitation, taps, self._past, F0_HOP)
        noise, phases = np.concatenate([self._noise, excitation]), np.concatenate([self._phase, phase])
        count = len(noise) - F0_HOP // 2
        signal, self._noise = noise[:count], noise[count:]
        # The first half frame has the amplitudes of the first frame.
        before = amplitudes if self._before is None else self._before
        add_harmonics(signal, phases[:count], self._cycles, before, amplitudes)
        self._before, self._phase = amplitudes, phases[count:]
        return signal.astype(np.float32)
