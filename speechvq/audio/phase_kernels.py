"""Inner loops of the search for glottal pulses in numba.

Their sums run in another order than numpy's. This cannot be heard or seen in the results, which are whole
numbers: a polarity, and the position of the pulse in a cycle.
"""

from typing import Any

import numpy as np
from numba import njit

from speechvq.audio.f0_kernels import OPTIONS

_SUMS: dict[str, Any] = {**OPTIONS, "fastmath": {"reassoc", "contract"}}  # vectorized sums


@njit(**_SUMS)
def predict(padded, window, hop, order, residual):  # type: ignore[no-untyped-def]
    """Prediction error of blocks, each predicted from the samples before by its own filter.

    The filter solves the normal equations of the windowed samples by the recursion of Levinson and Durbin.

    Args:
        padded: at least `len(window)` samples, those of the blocks, and as many after them; float64.
        window: (W,), centered on each block.
        hop: samples per block.
        order: P, of the predictors.
        residual: (blocks x hop,), overwritten.
    """
    size = len(window)
    start = size + (hop - size) // 2
    frame, lags = np.empty(size), np.empty(order + 1)
    taps, other = np.empty(order), np.empty(order)
    for block in range(len(residual) // hop):
        for i in range(size):
            frame[i] = padded[start + block * hop + i] * window[i]
        for lag in range(order + 1):
            total = 0.0
            for i in range(size - lag):
                total += frame[i] * frame[i + lag]
            lags[lag] = total
        error = lags[0] * 1.001 + 1e-9  # a noise floor 30 dB down; makes silence solvable
        for i in range(order):
            total = lags[i + 1]
            for j in range(i):
                total -= taps[j] * lags[i - j]
            reflection = total / error
            for j in range(i):
                other[j] = taps[j] - reflection * taps[i - 1 - j]
            taps[:i] = other[:i]
            taps[i] = reflection
            error *= 1.0 - reflection * reflection
        for t in range(block * hop, (block + 1) * hop):
            total = padded[size + t]
            for j in range(order):
                total -= taps[j] * padded[size + t - 1 - j]
            residual[t] = total


@njit(**_SUMS)
def pulse_scores(excitation, real, imaginary, window, harmonics, hop, scores):  # type: ignore[no-untyped-def]
    """Match of a pulse train at each position of the cycle with the excitation around the frames of a block.

    Args:
        excitation: (n,), around all frames, the first centered on sample `len(window) // 2`.
        real, imaginary: (n,), of exp(-2 pi i c), c the number of cycles up to each sample.
        window: (W,), W odd.
        harmonics: (F,), how many harmonics of a frame count; 0 for an unvoiced one.
        hop: samples between frames.
        scores: (F, positions), overwritten.
    """
    positions, size = scores.shape[1], len(window)
    cosine = np.cos(2 * np.pi * np.arange(positions) / positions)
    sine = np.sin(2 * np.pi * np.arange(positions) / positions)
    x, y = excitation.copy(), np.zeros(len(excitation))
    scores[:] = 0.0
    for harmonic in range(1, harmonics.max() + 1):
        for t in range(len(x)):
            turned = x[t] * real[t] - y[t] * imaginary[t]
            y[t] = x[t] * imaginary[t] + y[t] * real[t]
            x[t] = turned
        for frame in range(len(scores)):
            if harmonics[frame] < harmonic:
                continue
            first, a, b = x[frame * hop :][:size], 0.0, 0.0
            second = y[frame * hop :][:size]
            for i in range(size):
                a += first[i] * window[i]
            for i in range(size):
                b += second[i] * window[i]
            for position in range(positions):
                angle = harmonic * position % positions
                scores[frame, position] += a * cosine[angle] - b * sine[angle]


@njit(**OPTIONS)
def best_positions(scores, cost, path):  # type: ignore[no-untyped-def]
    """Viterbi path through the positions of a cycle.

    Args:
        scores: (F, P).
        cost: (P,), of a move by that many positions, subtracted from the score.
        path: (F,), int64, overwritten by the positions.
    """
    frames, count = scores.shape
    back, total, following = np.zeros((frames, count), np.int64), scores[0].copy(), np.empty(count)
    for i in range(1, frames):
        for after in range(count):
            best = -np.inf
            for before in range(count):
                value = total[before] - cost[abs(after - before)]
                if value > best:
                    best, back[i, after] = value, before
            following[after] = best + scores[i, after]
        total[:] = following
    state = total.argmax()
    for i in range(frames - 1, -1, -1):
        path[i] = state
        state = back[i, state]
