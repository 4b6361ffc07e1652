"""The WaveNet's step in numba: the inner loop of sampling, for one stream or many side by side.

Every array has the streams as its last axis, so a layer is two matrix products for all streams at once. The products
go to BLAS through numba's `np.dot`; what is between them is here. tanh and the sigmoid are made of 2^x by a
polynomial, which the compiler turns into vector instructions where it would call libm for the originals. With the
factors folded into weights and biases beforehand, u = 2^(-2a / ln 2) and v = 2^(-b / ln 2) give
tanh(a) sigmoid(b) = (1 - u) / ((1 + u) (1 + v)).
"""

import numpy as np
from numba import njit

from speechvq.speech.predictor import SHARPEST

_FAST = {"fastmath": {"contract", "reassoc", "nsz", "arcp"}, "nogil": True, "cache": True, "error_model": "numpy"}


@njit(**_FAST)
def _exp2(x, bits, power):  # type: ignore[no-untyped-def]
    """x <- 2^x for flat float32 x in [-126, 126], 1e-7 relative; `bits` and `power` view the same scratch."""
    for n in range(len(x)):
        value = min(max(x[n], np.float32(-126.0)), np.float32(126.0))
        whole = np.floor(value)
        bits[n] = (np.int32(whole) + np.int32(127)) << np.int32(23)
        f = value - whole
        p = np.float32(1.5353362e-4)
        p = p * f + np.float32(1.3398874e-3)
        p = p * f + np.float32(9.6184370e-3)
        p = p * f + np.float32(5.5503324e-2)
        p = p * f + np.float32(2.4022648e-1)
        p = p * f + np.float32(6.9314720e-1)
        x[n] = p * f + np.float32(1.0)
    for n in range(len(x)):
        x[n] *= power[n]


@njit(**_FAST)
def _gate(a, z, bits, power):  # type: ignore[no-untyped-def]
    """z (n,) = tanh x sigmoid of the two halves of a (2 n,), which hold the exponents of u and v."""
    half = len(z)
    _exp2(a, bits, power)
    u, v = a[:half], a[half:]
    for n in range(half):
        z[n] = (np.float32(1.0) - u[n]) / ((np.float32(1.0) + u[n]) * (np.float32(1.0) + v[n]))


@njit(**_FAST)
def _rectify(x):  # type: ignore[no-untyped-def]
    for n in range(len(x)):
        x[n] = max(x[n], np.float32(0.0))


@njit(**_FAST)
def _cut_tail(shares, top_p):  # type: ignore[no-untyped-def]
    """Zero all but the likeliest levels that together reach top_p of the total."""
    order, total, kept = np.argsort(-shares), shares.sum(), 0.0
    for place in order:
        if kept > 0.0 and kept >= top_p * total:  # the likeliest stays
            shares[place] = 0.0
        else:
            kept += shares[place]


@njit(**_FAST)
def _draw(logits, shares, uniform, temperature, top_p):  # type: ignore[no-untyped-def]
    """The level at which the distribution function passes `uniform`; as sampler.draw."""
    if temperature == 0.0:
        return np.argmax(logits)
    highest = logits.max()
    for n in range(len(logits)):
        shares[n] = np.exp((np.float64(logits[n]) - highest) / temperature)
    if top_p < 1.0:
        _cut_tail(shares, top_p)
    threshold, passed = uniform * shares.sum(), 0.0
    for n in range(len(shares)):
        passed += shares[n]
        if passed > threshold:
            return n
    return len(shares) - 1


@njit(**_FAST)
def _layers(  # type: ignore[no-untyped-def]
    time, x, both, a, z, out, total, bits, power, condition, rings, dilations, gates, outs, out_biases
):
    """All layers for one sample: x (R, B) in, total (S, B) out; `both`, `a`, `z`, `out`, `bits` are scratch."""
    residual, offset = len(x), 0
    for layer in range(len(dilations)):
        ring = rings[offset + (time & (dilations[layer] - 1))]
        offset += dilations[layer]
        both[:residual] = ring
        both[residual:] = x
        ring[:] = x
        np.dot(gates[layer], both, a)
        a += condition[layer]
        _gate(a.reshape(-1), z.reshape(-1), bits, power)
        np.dot(outs[layer], z, out)
        out += out_biases[layer]
        x += out[:residual]
        total += out[residual:]


@njit(**_FAST)
def _predict(  # type: ignore[no-untyped-def]
    logits, past, at, lag, weights, short, refine, refine_bias, hidden, centres, log_widths
):
    """Add one stream's linear guess to its logits, as LinearPredictor; `at` is where the newest sample is in `past`."""
    mask, taps = len(past) - 1, len(weights) - 1
    centre, shift, sharpness = np.float32(0.0), refine_bias[0], weights[taps] + refine_bias[1]
    for k in range(short):
        centre += weights[k] * past[(at - short + 1 + k) & mask]
    for k in range(taps - short):
        centre += weights[short + k] * past[(at + 1 - lag + k - (taps - short) // 2) & mask]
    for k in range(len(hidden)):
        shift += refine[0, k] * hidden[k]
        sharpness += refine[1, k] * hidden[k]
    sharpness = np.exp(min(sharpness, SHARPEST))
    centre += shift / sharpness
    for n in range(len(logits)):
        logits[n] += log_widths[n] - abs(centres[n] - centre) * sharpness


@njit(**_FAST)
def step_streams(  # type: ignore[no-untyped-def]
    start, hop, before, levels, uniforms, temperature, top_p, conditions, weights, lags, rings, past, dilations,
    table, gates, outs, out_biases, hidden, hidden_bias, last, last_bias, short, refine, refine_bias, centres,
    log_widths,
):
    """Sample all streams through some code frames.

    Args:
        start: number of the first sample, for the rings.
        hop: samples a frame.
        before: (B,), int64, the level sampled last; updated.
        levels: (B, T), int64, written; T = frames x hop.
        uniforms: (B, T), float64.
        temperature, top_p: as in sampler.draw.
        conditions: (frames, layers, 2 R, B), the gates' biases.
        weights: (frames, B, taps + 1), the linear predictor's; no taps for a decoder without one.
        lags: (B, T), int64, pitch periods in samples.
        rings: (sum of dilations, R, B), each layer's last inputs; updated.
        past: (B, P), the last samples, P a power of two; updated.
        dilations: (layers,), powers of two.
        table: (levels, R). gates: (layers, 2 R, 2 R), past and present. outs: (layers, R + S, R).
        out_biases: (layers, R + S, 1). hidden: (H, S), its bias (H, 1). last: (levels, H), its bias (levels, 1).
        short: how many of the taps are short. refine: (2, H), its bias (2,). centres, log_widths: (levels,).
    """
    streams, residual = len(before), table.shape[1]
    x, both = np.empty((residual, streams), np.float32), np.empty((2 * residual, streams), np.float32)
    a, z = np.empty_like(both), np.empty_like(x)
    out = np.empty((outs.shape[1], streams), np.float32)
    total = np.empty((hidden.shape[1], streams), np.float32)
    wide, logits = np.empty((len(hidden), streams), np.float32), np.empty((len(last), streams), np.float32)
    shares, bits = np.empty(len(last), np.float64), np.empty(a.size, np.int32)
    power = bits.view(np.float32)
    for t in range(levels.shape[1]):
        for b in range(streams):
            x[:, b] = table[before[b]]
        total[:] = np.float32(0.0)
        _layers(start + t, x, both, a, z, out, total, bits, power, conditions[t // hop], rings, dilations, gates, outs,
                out_biases)
        _rectify(total.reshape(-1))
        np.dot(hidden, total, wide)
        wide += hidden_bias
        _rectify(wide.reshape(-1))
        np.dot(last, wide, logits)
        logits += last_bias
        at = (start + t) & (past.shape[1] - 1)
        for b in range(streams):
            own = logits[:, b].copy()
            if weights.shape[2] > 1:
                past[b, at] = centres[before[b]]
                _predict(own, past[b], at, lags[b, t], weights[t // hop, b], short, refine, refine_bias,
                         wide[:, b].copy(), centres, log_widths)
            before[b] = _draw(own, shares, uniforms[b, t], temperature, top_p)
            levels[b, t] = before[b]
