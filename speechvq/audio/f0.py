"""F0 tracking and voicing decisions for speech; a whisper comes out as unvoiced.

Boersma (1993), "Accurate short-term analysis of the fundamental frequency and the harmonics-to-noise ratio of
a sampled sound": the autocorrelation of a windowed frame is divided by that of the window, and dynamic
programming finds the cheapest path through its maxima. One step is ours: the spectrum is flattened first,
because the ringing of a sharp formant would make a whisper look periodic. The path is searched twice, as in
De Looze and Hirst (2008), "Detecting changes in key and range for the automatic modelling and coding of
intonation": the second time, F0 near the median of the first path is favored.
"""

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from speechvq.audio.waveform import SAMPLE_RATE

F0_HOP = 160  # samples, 10 ms
MIN_F0, MAX_F0 = 50.0, 400.0  # Hz
WINDOW = int(2 * SAMPLE_RATE / MIN_F0)  # two periods of the lowest F0, 40 ms
SILENCE_DB = 35.0  # frames this far below the loudest one count as silence
MIN_VOICED_FRACTION = 0.1  # fraction of the active frames; below it a recording has no median F0

_FFT, _FINER = 2048, 2  # points of the spectrum; interpolation factor of the autocorrelation
_ENVELOPE = 400.0  # Hz; spectral structure wider than this counts as a formant, narrower as harmonics
_RUMBLE = 150.0  # Hz; energy below is not taken as speech, since every voice has harmonics above it
_BAND = 2400.0  # Hz; above it, breath noise exceeds the harmonics of many speakers
_CANDIDATES = 6  # maxima kept of each frame
_MIDDLE = (MIN_F0 * MAX_F0) ** 0.5  # Hz; candidates above it are favored, candidates below it are penalized
_BLOCK = 50  # frames analyzed at once; their spectra fit into the cache, and the memory stays flat

# Costs of the path, in units of correlation. They are Boersma's except for two, adapted to flattened spectra.
# The voicing threshold labels 0.56 of read speech as voiced, and 0.01 of the same speech whispered (noise
# through its LPC filters). The octave cost is higher: at 0.02, twice Boersma's, 4 % of the voiced frames were
# an octave too low with noise 10 dB below the speech; now 0.6 %.
_VOICING, _OCTAVE, JUMP, SWITCH = 0.40, 0.06, 0.35, 0.14
# The usual range of a speaker is this many octaves on either side of the median. A candidate within it gains,
# so that the second path has as many voiced frames as the first; one outside it loses for each octave.
_RANGE, _INSIDE, _OUTSIDE = 0.25, 0.03, 0.20


class F0Track(NamedTuple):
    """Result of F0 tracking for F frames, 10 ms apart; frame i is centered on sample i x F0_HOP."""

    f0: np.ndarray  # (F,), Hz, NaN where unvoiced
    periodicity: np.ndarray  # (F,), highest normalized autocorrelation, 0 (noise) to 1 (periodic)
    active: np.ndarray  # (F,), bool: energy above 150 Hz within 35 dB of the loudest frame


def track_f0(wave: np.ndarray) -> F0Track:
    """Track the F0 of speech between 50 and 400 Hz; independent of the level.

    Args:
        wave: (T,), float, 16 kHz.

    Returns:
        F = ceil(T / 160) frames.
    """
    rms, hertz, strengths = frame_candidates(np.pad(wave, WINDOW // 2), -(-len(wave) // F0_HOP))
    active = rms > silence_threshold(float(rms.max(initial=0.0)))
    strengths = np.where(active[:, None], strengths, 0.0)
    gain = path_gain(hertz, strengths)
    track = F0Track(_best_path(hertz, gain), strengths.max(1, initial=0.0), active)
    usual = median_f0(track)
    if math.isnan(usual):
        return track
    return track._replace(f0=_best_path(hertz, gain + range_gain(hertz, usual)))


def silence_threshold(loudest: float) -> float:
    """RMS up to which a frame counts as silence, from the RMS of the loudest frame."""
    return max(loudest * 10 ** (-SILENCE_DB / 20), 1e-6)


def f0_contour(wave: np.ndarray) -> np.ndarray:
    """F0 contour of a waveform in Hz, 0 where unvoiced: (T,) to (F,), float32, F = ceil(T / 160), 10 ms
    apart.
    """
    return np.nan_to_num(track_f0(wave).f0).astype(np.float32)


def median_f0(track: F0Track) -> float:
    """Median F0 of the voiced frames, Hz; NaN if less than a tenth is voiced, as in a whisper."""
    if voiced_fraction(track) < MIN_VOICED_FRACTION:
        return float("nan")
    return float(np.nanmedian(track.f0))


def mean_f0(f0: np.ndarray) -> float:
    """Geometric mean F0 of the voiced frames of a contour (F,), Hz; 0 if none is voiced."""
    voiced = f0[f0 > 0]
    return float(np.exp(np.log(voiced).mean())) if len(voiced) else 0.0


def shift_f0(f0: np.ndarray, target: float) -> np.ndarray:
    """Scale a contour (F,) so that its mean becomes `target` Hz; zeros stay zero.

    Only the mean changes; the range in semitones stays that of the source.
    """
    mean = mean_f0(f0)
    return f0 * np.float32(target / mean) if mean > 0 and target > 0 else f0


def voiced_fraction(track: F0Track) -> float:
    """Fraction of the active frames that are voiced: near 0.6 for speech, 0 for whispers and noise."""
    return float(np.isfinite(track.f0).sum() / max(int(track.active.sum()), 1))


def harmonics_to_noise_ratio(track: F0Track) -> float:
    """Harmonics-to-noise ratio, dB: 10 log10(r / (1 - r)), r the mean periodicity of the more periodic half.

    Periodicity is measured on a flattened spectrum below 2.4 kHz, so values are lower than Praat's. Only the
    more periodic half of the frames counts, because the rest are consonants. NaN for silence.
    """
    periodicity = np.sort(track.periodicity[track.active])
    if not len(periodicity):
        return float("nan")
    mean = float(np.clip(periodicity[len(periodicity) // 2 :].mean(), 1e-3, 1 - 1e-3))
    return float(10 * np.log10(mean / (1 - mean)))


def semitones(high: float, low: float) -> float:
    """Interval from the second frequency up to the first, in semitones; NaN if either is NaN."""
    return float(12 * np.log2(high / low))


def frame_candidates(padded: np.ndarray, frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Loudness of frames and the candidates for their F0.

    Args:
        padded: samples from WINDOW / 2 before the center of the first frame to WINDOW / 2 after that of the
            last one, float, 16 kHz.
        frames: F.

    Returns:
        RMS above 150 Hz, (F,); F0 in Hz and correlation of the highest maxima, (F, M) each.
    """
    from speechvq.audio.f0_kernels import highest_maxima  # numba takes a fifth of a second to import

    above, window = int(_RUMBLE * _FFT / SAMPLE_RATE), _window_correlation()
    lag = np.arange(len(window))
    penalty = _OCTAVE * np.log2(np.maximum(lag, 1) / (len(window) - 2))
    rms = np.empty(frames)
    lags, strengths = np.empty((frames, _CANDIDATES)), np.empty((frames, _CANDIDATES))
    first, done = -(-int(_FINER * SAMPLE_RATE) // int(MAX_F0)), 0
    for block in _frames(padded, frames):
        part = slice(done, done + len(block))
        power = np.abs(np.fft.rfft(block, _FFT)) ** 2
        rms[part] = np.sqrt(power[:, above:].mean(axis=1))
        correlation = np.fft.irfft(_flattened(power), _FFT * _FINER)
        highest_maxima(correlation, window, penalty, first, lags[part], strengths[part])
        done += len(block)
    return rms, SAMPLE_RATE / (lags / _FINER), strengths


def _frames(padded: np.ndarray, frames: int) -> Iterator[np.ndarray]:
    """Blocks of windowed, zero-mean frames, (at most 50, 640)."""
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::F0_HOP][:frames]
    for start in range(0, len(windows), _BLOCK):
        # By blocks: the whole padded waveform would take four times the memory.
        block = windows[start : start + _BLOCK].astype(np.float64)
        yield (block - block.mean(axis=1, keepdims=True)) * np.hanning(WINDOW)


def _flattened(power: np.ndarray) -> np.ndarray:
    """Power spectra (F, bins) without the formants and without everything above 2.4 kHz: (F, bins)."""
    from speechvq.audio.f0_kernels import flatten

    bin_width, weighted = SAMPLE_RATE / _FFT, np.zeros_like(power)
    flatten(power, round(_ENVELOPE / 2 / bin_width), int(np.ceil(_BAND / bin_width)), weighted)
    return weighted


@lru_cache(maxsize=1)
def _window_correlation() -> np.ndarray:
    """Autocorrelation of the window, 1 at lag 0; lags in half samples up to one more than 20 ms."""
    power = np.abs(np.fft.rfft(np.hanning(WINDOW), _FFT)) ** 2
    window = np.fft.irfft(power, _FFT * _FINER)[: int(_FINER * SAMPLE_RATE / MIN_F0) + 2]
    return window / window[0]


def path_gain(hertz: np.ndarray, strengths: np.ndarray) -> np.ndarray:
    """Gain of each candidate (..., M) and of the unvoiced state on a path: (..., M + 1)."""
    gain = np.where(strengths > 0, strengths + _OCTAVE * np.log2(hertz / _MIDDLE), -np.inf)
    return np.concatenate([gain, np.full((*gain.shape[:-1], 1), _VOICING)], axis=-1)


def range_gain(hertz: np.ndarray, usual: float) -> np.ndarray:
    """What candidates (..., M) gain by their distance from the usual F0 of the speaker, and the unvoiced
    state, which gains nothing: (..., M + 1).

    Args:
        hertz: (..., M), candidates.
        usual: Hz, median or mean F0 of the speech that is known.
    """
    outside = np.maximum(np.abs(np.log2(hertz / usual)) - _RANGE, 0.0)
    return np.concatenate([_INSIDE - _OUTSIDE * outside, np.zeros((*hertz.shape[:-1], 1))], axis=-1)


def _best_path(hertz: np.ndarray, gain: np.ndarray) -> np.ndarray:
    """Viterbi path: (F,) in Hz, NaN where unvoiced.

    Args:
        hertz: (F, M), candidates.
        gain: (F, M + 1), of the candidates and the unvoiced state.
    """
    from speechvq.audio.f0_kernels import best_states

    frames, count = hertz.shape
    if not frames:
        return np.empty(0)
    states = np.empty(frames, np.int64)
    best_states(np.log2(hertz), gain, JUMP, SWITCH, states)
    candidates = np.concatenate([hertz, np.full((frames, 1), np.nan)], axis=1)
    return candidates[np.arange(frames), states]
