"""Inner loops of the F0 tracker in numba, equal to the bit to the same sums in numpy.

numpy makes an array of every intermediate result of a block of frames, and the time went into these arrays.
"""

from typing import Any

import numpy as np
from numba import njit

OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**OPTIONS)
def flatten(power, half, band, weighted):  # type: ignore[no-untyped-def]
    """Divide power spectra by their envelope, and remove everything above a band.

    Args:
        power: (F, bins), float64.
        half: bins on each side of the moving average that is the envelope; the spectrum is mirrored at its
            ends.
        band: first bin that is removed.
        weighted: (F, bins), overwritten by the result; zeros from `band` on are left as they are.
    """
    bins, width = power.shape[1], 2 * half + 1
    for row in range(len(power)):
        total, envelope, highest = _running_sum(power[row], half), weighted[row], 0.0
        for i in range(bins):
            mean = (total[i + width] - total[i]) / width
            highest = max(highest, mean)
            if i < band:
                envelope[i] = mean
        floor = highest * 1e-4  # bins 40 dB below the maximum are not amplified
        for i in range(band):
            envelope[i] = power[row, i] * (1.0 / max(envelope[i] + floor, 1e-20))


@njit(**OPTIONS)
def _running_sum(power, half):  # type: ignore[no-untyped-def]
    """Sums from the beginning of a spectrum that is mirrored by half + 1 bins before and half bins after."""
    bins = len(power)
    total, current = np.empty(bins + 2 * half + 1), 0.0
    for i in range(len(total)):
        place = abs(i - half - 1)
        current += power[place if place < bins else 2 * (bins - 1) - place]
        total[i] = current
    return total


@njit(**OPTIONS)
def highest_maxima(correlation, window, penalty, first, lags, heights):  # type: ignore[no-untyped-def]
    """The highest maxima of normalized autocorrelations, in any order.

    Args:
        correlation: (F, at least L + 2), float64, of windowed frames, not normalized.
        window: (L + 2,), autocorrelation of the window, 1 at lag 0.
        penalty: (L + 2,), subtracted from a maximum when they are compared.
        first: lowest lag that counts.
        lags: (F, M), overwritten by the vertex of the parabola through each maximum.
        heights: (F, M), overwritten by their heights, at most 1; 0 means none.
    """
    last, count = len(window) - 2, lags.shape[1]
    for row in range(len(correlation)):
        scale = max(correlation[row, 0], 1e-20)
        kept, scores = lags[row], [0.0] * count  # the lag of each maximum, and what it is compared by
        kept[:], heights[row, :] = 1.0, 0.0
        before, here = 0.0, correlation[row, first - 1] / scale / window[first - 1]
        after = correlation[row, first] / scale / window[first]
        for lag in range(first, last + 1):
            before, here = here, after
            after = correlation[row, lag + 1] / scale / window[lag + 1]
            if here > before and here >= after and here > 0:
                score, lowest = here - penalty[lag], 0
                for i in range(1, count):
                    if scores[i] < scores[lowest]:
                        lowest = i
                if score > scores[lowest]:
                    scores[lowest] = score
                    slope, curve = before - after, min(before - 2 * here + after, -1e-12)
                    shift = min(max(0.5 * slope / curve, -0.5), 0.5)
                    kept[lowest] = lag + shift
                    heights[row, lowest] = min(here - 0.25 * slope * shift, 1.0)


@njit(**OPTIONS)
def best_states(octaves, gain, jump, switch, states):  # type: ignore[no-untyped-def]
    """Viterbi path through the candidates and the unvoiced state.

    Args:
        octaves: (F, M), logarithm to base 2 of the candidates.
        gain: (F, M + 1), of each candidate and of the unvoiced state, which is the last.
        jump: cost per octave between candidates.
        switch: cost of a change of voicing.
        states: (F,), int64, overwritten by the state of each frame.
    """
    frames, count = octaves.shape
    back, score, following = np.zeros((frames, count + 1), np.int64), gain[0].copy(), np.empty(count + 1)
    for i in range(1, frames):
        extend_paths(octaves[i - 1], octaves[i], gain[i], jump, switch, score, following, back[i])
        score[:] = following
    state = score.argmax()
    for i in range(frames - 1, -1, -1):
        states[i] = state
        state = back[i, state]


@njit(**OPTIONS)
def extend_paths(earlier, octaves, gain, jump, switch, score, following, back):  # type: ignore[no-untyped-def]
    """One step of the Viterbi search.

    Args:
        earlier, octaves: (M,), logarithm to base 2 of the candidates of a frame and of the next one.
        gain: (M + 1,), of the states of the next frame.
        jump, switch: see `best_states`.
        score: (M + 1,), of the best paths to the states of the frame.
        following: (M + 1,), overwritten by those of the next one.
        back: (M + 1,), int64, overwritten by the states from which these paths come.
    """
    count = len(octaves)
    for after in range(count + 1):
        best = -np.inf
        for before in range(count + 1):
            if before < count and after < count:
                cost = jump * abs(earlier[before] - octaves[after])
            else:
                cost = 0.0 if before == after else switch
            total = score[before] - cost
            if total > best:
                best, back[after] = total, before
        following[after] = best + gain[after]
