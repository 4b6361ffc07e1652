"""The WaveNet's step in numba: the inner loop of sampling, for one stream or many side by side.

A sample costs two products a layer and three at the end; what is between them is here. tanh and the sigmoid are made of
2^x by a polynomial, which the compiler turns into vector instructions where it would call libm for the originals. With
the factors folded into weights and biases beforehand, u = 2^(-2a / ln 2) and v = 2^(-b / ln 2) give
tanh(a) sigmoid(b) = (1 - u) / ((1 + u) (1 + v)).
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.extending import intrinsic

from speechvq.speech.sampling.matmul_kernels import NARROW, OPTIONS, WIDE, add_product, noinline

LOG2_E = np.float32(1.4426950408889634)
AHEAD = 8  # samples for which one stream's far pasts are multiplied at once: their weights are read an eighth as often
START = np.int64(0)  # a plain 0 is a type of its own to numba, and every mixture would be compiled


class Weights(NamedTuple):
    """A WaveNet laid out for the kernels; panels are those of `products`, all of them flat."""

    dilations: np.ndarray  # (layers,), int64, powers of two
    embedding: np.ndarray  # (levels, R)
    phase_embedding: np.ndarray  # (classes, R), one row of zeros for a decoder that is not told the phase
    past_tap: np.ndarray  # panels of (R, 2 R), a layer after the other: of the sample `dilation` ago
    precomputed_past: (
        np.ndarray
    )  # the same, NARROW, for one stream: of layers whose past is known AHEAD samples before; or nothing
    current_tap: np.ndarray  # the same of the newest sample
    out: np.ndarray  # panels of (R, R + S)
    out_bias: np.ndarray  # (layers, R + S)
    hidden: np.ndarray  # panels of (S, H)
    hidden_bias: np.ndarray  # (H,)
    last: np.ndarray  # panels of (H, levels)
    last_bias: np.ndarray  # (levels,)
    width: int  # of the panels: WIDE for one stream, NARROW otherwise
    paired: int  # inputs a row of the panels: 1, or 2 as bfloat16


class Streams(NamedTuple):
    """Where the streams stand between two calls."""

    before: np.ndarray  # (B,), int64, the level sampled last
    rings: np.ndarray  # flat: a layer's last inputs after the other's, (dilation, B, R) each
    logits: np.ndarray  # flat: of the samples drawn last, (B, levels) in whole panels


class ConditioningBlock(NamedTuple):
    """What the streams are told in some code frames, and their chance."""

    biases: np.ndarray  # (frames, layers, B, 2 R), of the gates
    phases: np.ndarray  # (B, T), uint8, classes
    uniforms: np.ndarray  # (B, T), float64


@intrinsic
def _as_float(typing, bits):  # type: ignore[no-untyped-def]
    """The float32 that has these 32 bits."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@njit(**OPTIONS)
def _exp2(value):  # type: ignore[no-untyped-def]
    """2^x of a float32 in [-126, 126], 1e-7 relative; a polynomial between whole powers, those by their bits."""
    value = min(max(value, np.float32(-126.0)), np.float32(126.0))
    whole = np.floor(value)
    f = value - whole
    p = np.float32(1.5353362e-4)
    p = p * f + np.float32(1.3398874e-3)
    p = p * f + np.float32(9.6184370e-3)
    p = p * f + np.float32(5.5503324e-2)
    p = p * f + np.float32(2.4022648e-1)
    p = p * f + np.float32(6.9314720e-1)
    p = p * f + np.float32(1.0)
    return p * _as_float(np.int32(np.int32(whole) + np.int32(127)) << np.int32(23))


@njit(**OPTIONS)
def _gate(a, z, units):  # type: ignore[no-untyped-def]
    """z (units,) = tanh x sigmoid of the halves of a (2 units,), which hold the exponents of u and v."""
    noinline()
    for n in range(units):
        u, v = _exp2(a[n]), _exp2(a[units + n])
        z[n] = (np.float32(1.0) - u) / ((np.float32(1.0) + u) * (np.float32(1.0) + v))


@njit(**OPTIONS)
def _likeliest(shares, count):  # type: ignore[no-untyped-def]
    best = 0
    for n in range(1, count):
        if shares[n] > shares[best]:
            best = n
    return best


@njit(**OPTIONS)
def _cut_tail(shares, rest, most):  # type: ignore[no-untyped-def]
    """Zero all but the likeliest levels that together reach `most`; the likeliest stays. `rest` is scratch."""
    kept = np.float64(0.0)
    for n in range(len(shares)):
        rest[n], shares[n] = shares[n], np.float32(0.0)
    while kept == 0.0 or kept < most:
        best = _likeliest(rest, len(rest))
        if rest[best] < 0.0:
            break
        shares[best], rest[best] = rest[best], np.float32(-1.0)
        kept += shares[best]


@njit(**OPTIONS)
def _draw(logits, shares, rest, uniform, temperature, top_p):  # type: ignore[no-untyped-def]
    """The level at which the distribution function passes `uniform`; as categorical.draw."""
    noinline()
    best = _likeliest(logits, len(shares))
    if temperature == 0.0:
        return best
    highest = logits[best]
    scale, total = (
        np.float32(min(LOG2_E / temperature, 1e30)),
        np.float64(0.0),
    )  # 0 times infinity is no number
    for n in range(len(shares)):
        shares[n] = _exp2((logits[n] - highest) * scale)
    for n in range(len(shares)):
        total += np.float64(shares[n])
    if top_p < 1.0:
        _cut_tail(shares, rest, top_p * total)
        total = np.float64(0.0)
        for n in range(len(shares)):
            total += np.float64(shares[n])
    threshold, passed = uniform * total, np.float64(0.0)
    for n in range(len(shares)):
        passed += np.float64(shares[n])
        if passed > threshold:
            return n
    return len(shares) - 1


@njit(**OPTIONS)
def _far_pasts(time, early, a_step, streams, weights):  # type: ignore[no-untyped-def]
    """Of one stream, the products with the pasts of the next AHEAD samples: early (layers x AHEAD, a_step), flat."""
    noinline()
    residual, depth, ring = weights.embedding.shape[1], weights.embedding.shape[1] // weights.paired, 0
    size = depth * ((2 * residual + NARROW - 1) // NARROW) * NARROW
    for layer in range(len(weights.dilations)):
        dilation = weights.dilations[layer]
        if dilation >= AHEAD:
            first, slot = layer * AHEAD * a_step, (ring + (time & (dilation - 1))) * residual
            for n in range(AHEAD * a_step):
                early[first + n] = np.float32(0.0)
            place, rows = layer * size, 2 * residual
            add_product(
                early,
                first,
                a_step,
                streams.rings,
                slot,
                residual,
                weights.precomputed_past,
                place,
                depth,
                rows,
                AHEAD,
                NARROW,
            )
        ring += dilation


@njit(**OPTIONS)
def _layers(time, live, x, x_step, a, a_step, z, early, biases, streams, weights):  # type: ignore[no-untyped-def]
    """All layers for one sample: a row of x holds the embedded sample and the sum of skips (R + S,); updated."""
    noinline()
    count, residual = len(streams.before), weights.embedding.shape[1]
    width, depth, outputs = weights.width, residual // weights.paired, weights.out_bias.shape[1]
    gate_size = depth * ((2 * residual + width - 1) // width) * width
    out_size = depth * ((outputs + width - 1) // width) * width
    ring, rows = 0, 2 * residual
    for layer in range(len(weights.dilations)):
        dilation = weights.dilations[layer]
        slot = (ring + (time & (dilation - 1))) * count * residual
        ring += dilation
        for b in range(live):
            for r in range(rows):
                a[b * a_step + r] = biases[layer, b, r]
        place = layer * gate_size
        if len(weights.precomputed_past) > 0 and dilation >= AHEAD:
            first = (layer * AHEAD + (time & (AHEAD - 1))) * a_step
            for r in range(rows):
                a[r] += early[first + r]
        else:
            add_product(
                a,
                START,
                a_step,
                streams.rings,
                slot,
                residual,
                weights.past_tap,
                place,
                depth,
                rows,
                live,
                width,
            )
        add_product(a, START, a_step, x, START, x_step, weights.current_tap, place, depth, rows, live, width)
        for b in range(live):
            for r in range(residual):
                streams.rings[slot + b * residual + r] = x[b * x_step + r]
                x[b * x_step + r] += weights.out_bias[layer, r]
            _gate(a[b * a_step :], z[b * residual :], residual)
        add_product(
            x, START, x_step, z, START, residual, weights.out, layer * out_size, depth, outputs, live, width
        )


@njit(**OPTIONS)
def _head(live, x, x_step, wide, wide_step, logits, logits_step, weights):  # type: ignore[no-untyped-def]
    """From the sums of skips in x to the logits, a row a stream; the last units stay in `wide`."""
    noinline()
    residual, outputs = weights.embedding.shape[1], weights.out_bias.shape[1]
    units, levels, width = len(weights.hidden_bias), len(weights.last_bias), weights.width
    for b in range(live):
        for n in range(residual, outputs):
            x[b * x_step + n] = max(x[b * x_step + n], np.float32(0.0))
        for n in range(units):
            wide[b * wide_step + n] = weights.hidden_bias[n]
        for n in range(levels):
            logits[b * logits_step + n] = weights.last_bias[n]
    depth = (outputs - residual) // weights.paired
    add_product(wide, START, wide_step, x, residual, x_step, weights.hidden, START, depth, units, live, width)
    for n in range(live * wide_step):
        wide[n] = max(wide[n], np.float32(0.0))
    depth = units // weights.paired
    add_product(
        logits, START, logits_step, wide, START, wide_step, weights.last, START, depth, levels, live, width
    )


@njit(**OPTIONS)
def row_size(length):  # type: ignore[no-untyped-def]
    """Floats that a row of scratch takes: the products write whole panels."""
    return (length + WIDE - 1) // WIDE * WIDE


@njit(**OPTIONS)
def step_streams(start, hop, live, levels, temperature, top_p, told, streams, weights):  # type: ignore[no-untyped-def]
    """Sample streams through some code frames.

    Args:
        start: number of the first sample, for the rings.
        hop: samples a frame.
        live: how many of the streams, from the first; the others have ended.
        levels: (B, T), int64, written; T = frames x hop.
        temperature, top_p: as in categorical.draw.
        told: what they are told.
        streams: where they stand; updated.
        weights: the decoder.
    """
    residual, outputs, classes = weights.embedding.shape[1], weights.out_bias.shape[1], len(weights.last_bias)
    units, count = len(weights.hidden_bias), len(streams.before)
    x_step, a_step, wide_step = row_size(outputs), row_size(2 * residual), row_size(units)
    logits_step = row_size(classes)
    x, a = np.zeros(count * x_step, np.float32), np.zeros(count * a_step, np.float32)
    z, wide = np.zeros(count * residual, np.float32), np.zeros(count * wide_step, np.float32)
    logits, skips = streams.logits, np.zeros(outputs, np.float32)
    early = np.zeros(
        len(weights.dilations) * AHEAD * a_step if len(weights.precomputed_past) > 0 else 0, np.float32
    )
    shares, rest = np.zeros(classes, np.float32), np.zeros(classes, np.float32)
    for layer in range(len(weights.dilations)):
        for n in range(residual, outputs):
            skips[n] += weights.out_bias[layer, n]
    for t in range(levels.shape[1]):
        for b in range(live):
            for n in range(residual):
                x[b * x_step + n] = (
                    weights.embedding[streams.before[b], n] + weights.phase_embedding[told.phases[b, t], n]
                )
            for n in range(residual, outputs):
                x[b * x_step + n] = skips[n]
        gone = (start + t) & (
            AHEAD - 1
        )  # of the samples that the far pasts are known for; a call may begin between
        if len(weights.precomputed_past) > 0 and (gone == 0 or t == 0):
            _far_pasts(start + t - gone, early, a_step, streams, weights)
        _layers(start + t, live, x, x_step, a, a_step, z, early, told.biases[t // hop], streams, weights)
        _head(live, x, x_step, wide, wide_step, logits, logits_step, weights)
        for b in range(live):
            own = logits[b * logits_step :]
            level = _draw(own, shares, rest, told.uniforms[b, t], temperature, top_p)
            streams.before[b] = levels[b, t] = level
