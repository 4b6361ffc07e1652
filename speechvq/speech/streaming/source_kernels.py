"""Spectrum and harmonics of one frame in numba, as `SourceFilter.noise_and_harmonics` and `harmonic_signal`.

In torch this is some forty operations on a few hundred numbers each, and their calls take most of the time.
"""

from typing import NamedTuple

import numpy as np
from numba import njit

from speechvq.audio.mulaw import INPUT_GAIN
from speechvq.audio.waveform import SAMPLE_RATE
from speechvq.speech.sampling.matmul_kernels import OPTIONS
from speechvq.speech.source_filter.source_filter import FRAME_SAMPLES, LOG_MEL_SCALE, MAX_HARMONIC_HZ
from speechvq.speech.source_filter.spectral_envelope import NOISE_FLOOR, NUM_FREQS

_STEP = SAMPLE_RATE / 2 / (NUM_FREQS - 1)  # Hz, between two points of a spectrum


class SpectrumTables(NamedTuple):
    """What the networks' outputs are read with, float32."""

    log_bias: np.ndarray  # (M,)
    mel_to_freqs: np.ndarray  # (M, NUM_FREQS)
    boost: float  # `harmonic_boost`, see `SourceFilter.forward`


@njit(**OPTIONS)
def noise_and_harmonics(mel, outputs, f0, filled_f0, tables, noise, harmonics):  # type: ignore[no-untyped-def]
    """Power spectrum of the noise, and amplitudes of the harmonics.

    Args:
        mel: (M,), float32, log-mel spectrum in units of LOG_MEL_SCALE.
        outputs: (2 x NUM_FREQS,), float32, of the network of the harmonics.
        f0: Hz, 0 where unvoiced.
        filled_f0: Hz, also where unvoiced.
        tables: a SpectrumTables.
        noise: (NUM_FREQS,), float64, overwritten.
        harmonics: (2 H,), float32, overwritten: cosines of all harmonics, then sines.
    """
    power, fractions = np.empty(NUM_FREQS), np.empty((2, NUM_FREQS))
    for i in range(NUM_FREQS):
        total = 0.0
        for band in range(len(mel)):
            weight = tables.mel_to_freqs[band, i]
            if weight != 0.0:
                total += (LOG_MEL_SCALE * mel[band] + tables.log_bias[band]) * weight
        power[i] = np.exp(total) / INPUT_GAIN**2
    if f0 > 0.0:
        _smooth(power, filled_f0)
    for i in range(NUM_FREQS):
        fraction = _fraction(i, outputs[i], outputs[NUM_FREQS + i], tables.boost)
        fractions[0, i], fractions[1, i] = fraction
        energy = fraction[0] ** 2 + fraction[1] ** 2 if f0 > 0.0 else 0.0
        noise[i] = power[i] * max(1.0 - energy, NOISE_FLOOR)
    count = len(harmonics) // 2
    for number in range(count):
        hertz = filled_f0 * (number + 1)
        harmonics[number] = harmonics[count + number] = 0.0
        if hertz < MAX_HARMONIC_HZ:
            at = hertz / _STEP
            # A sine of amplitude a has power a^2 / 2, and represents a band about as wide as F0.
            amplitude = np.sqrt(2.0 * _between(power, at) * filled_f0 / (SAMPLE_RATE / 2))
            harmonics[number] = _between(fractions[0], at) * amplitude
            harmonics[count + number] = _between(fractions[1], at) * amplitude


@njit(**OPTIONS)
def _fraction(number, cosine, sine, boost):  # type: ignore[no-untyped-def]
    """Fractions of a frequency's amplitude, as `_harmonic_fractions`."""
    if number * _STEP >= MAX_HARMONIC_HZ:
        return 0.0, 0.0
    square = np.float64(cosine) ** 2 + np.float64(sine) ** 2
    energy = square / (1.0 + square)
    factor = np.sqrt((energy + boost * (1.0 - energy)) / max(energy, 1e-6) / (1.0 + square))
    return cosine * factor, sine * factor


@njit(**OPTIONS)
def _smooth(power, f0):  # type: ignore[no-untyped-def]
    """Average over a sliding band as wide as F0, in place, as `smooth_over_f0`."""
    edges = np.zeros(NUM_FREQS + 1)
    for i in range(NUM_FREQS):
        edges[i + 1] = edges[i] + power[i]
    half = f0 / _STEP / 2.0
    for i in range(NUM_FREQS):
        first, last = max(i + 0.5 - half, 0.0), min(i + 0.5 + half, float(NUM_FREQS))
        power[i] = (_between(edges, last) - _between(edges, first)) / (last - first)


@njit(**OPTIONS)
def _between(values, at):  # type: ignore[no-untyped-def]
    """Linear interpolation at a place from 0 to the last value."""
    low = min(int(at), len(values) - 2)
    return values[low] + (at - low) * (values[low + 1] - values[low])


@njit(**OPTIONS)
def add_harmonics(signal, phases, cycles, before, after):  # type: ignore[no-untyped-def]
    """Add the harmonics from the center of one frame on, with amplitudes on their way to those of the next.

    Args:
        signal: (T,), float64; updated.
        phases: (T,), uint8, phase bins.
        cycles: (bins, 2 H), float32, see `SourceFilter.cycle_table`.
        before, after: (2 H,), float32, amplitudes.
    """
    hop = np.float32(FRAME_SAMPLES)
    for t in range(len(signal)):
        cycle, weight, total = cycles[phases[t]], (np.float32(t) + np.float32(0.5)) / hop, np.float32(0)
        for i in range(len(before)):
            total += cycle[i] * (before[i] + weight * (after[i] - before[i]))
        signal[t] += total
