"""The WaveNet step in numba: the inner loop of sampling, for one stream or several side by side.

A sample costs two matrix products per layer and three at the end; this file is what lies between them. tanh
and the sigmoid are made of 2^x, computed by a polynomial that the compiler vectorizes, where it would call
libm for the originals. Factors are folded into weights and biases beforehand: u = 2^(-2a / ln 2) and v =
2^(-b / ln 2) give tanh(a) sigmoid(b) = (1 - u) / ((1 + u) (1 + v)).
"""

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.extending import intrinsic

from speechvq.speech.sampling.matmul_kernels import (
    NARROW,
    OPTIONS,
    WIDE,
    add_product,
    borrowed,
    noinline,
    row,
)

LOG2_E = np.float32(1.4426950408889634)
LOOKAHEAD = 8  # samples whose past taps are precomputed at once for one stream: 1/8 of the weight reads
START = np.int64(0)  # a literal 0 is another type to numba, and every combination would be compiled


class Weights(NamedTuple):
    """Weights of a WaveNet as the kernels read them; panels are those of `matmul_kernels`, flat."""

    dilations: np.ndarray  # (layers,), int64, powers of two
    embedding: np.ndarray  # (Q, R)
    phase_embedding: np.ndarray  # (phase bins, R); one row of zeros for a decoder without phase
    # Panels of (R, 2 R), one layer after the other: for the input `dilation` samples ago.
    past_tap: np.ndarray
    # past_tap in NARROW panels, for the lookahead of one stream; empty for several.
    precomputed_past: np.ndarray
    current_tap: np.ndarray  # as past_tap, for the current input
    out: np.ndarray  # panels of (R, R + U)
    out_bias: np.ndarray  # (layers, R + U)
    hidden: np.ndarray  # panels of (U, hidden)
    hidden_bias: np.ndarray  # (hidden,)
    last: np.ndarray  # panels of (hidden, Q)
    last_bias: np.ndarray  # (Q,)
    width: int  # of the panels: WIDE for one stream, NARROW otherwise
    inputs_per_row: int  # of the panels: 1 in float32, 2 in bfloat16


class Streams(NamedTuple):
    """State of the streams between two calls; updated in place."""

    previous: np.ndarray  # (B,), int64, the mu-law bins sampled last
    caches: np.ndarray  # flat: the last inputs of one layer after the other, (dilation, B, R) each
    logits: np.ndarray  # flat: of the samples drawn last, (B, Q) in whole panels


class ConditioningBlock(NamedTuple):
    """Conditioning of the streams for some code frames, and their random numbers."""

    biases: np.ndarray  # (frames, layers, B, 2 R), of the gates
    phases: np.ndarray  # (B, T), uint8, bins
    uniforms: np.ndarray  # (B, T), float64

    def frames(self, first: int, last: int, hop: int) -> "ConditioningBlock":
        """The block of some of the code frames."""
        samples = slice(first * hop, last * hop)
        return ConditioningBlock(
            self.biases[first:last],
            np.ascontiguousarray(self.phases[:, samples]),
            np.ascontiguousarray(self.uniforms[:, samples]),
        )


@intrinsic
def _as_float(typing, bits):  # type: ignore[no-untyped-def]
    """The float32 with these 32 bits."""

    def generate(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> ir.Value:
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@njit(**OPTIONS)
def exp2(value):  # type: ignore[no-untyped-def]
    """2^x of a float32 in [-126, 126], relative error 1e-7: a polynomial times a power of two."""
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
    """z (units,) = tanh x sigmoid of the halves of a (2 units,), the exponents of u and v."""
    noinline()
    for n in range(units):
        u, v = exp2(a[n]), exp2(a[units + n])
        z[n] = (np.float32(1.0) - u) / ((np.float32(1.0) + u) * (np.float32(1.0) + v))


@njit(**OPTIONS)
def _copy(source, target):  # type: ignore[no-untyped-def]
    for n in range(len(source)):
        target[n] = source[n]


@njit(**OPTIONS)
def _add(term, target):  # type: ignore[no-untyped-def]
    for n in range(len(term)):
        target[n] += term[n]


@njit(**OPTIONS)
def _rectify(target):  # type: ignore[no-untyped-def]
    for n in range(len(target)):
        target[n] = max(target[n], np.float32(0.0))


@njit(**OPTIONS)
def _argmax(probs, count):  # type: ignore[no-untyped-def]
    best = 0
    for n in range(1, count):
        if probs[n] > probs[best]:
            best = n
    return best


@njit(**OPTIONS)
def _nucleus(probs, scratch, mass):  # type: ignore[no-untyped-def]
    """Zero all but the most likely bins that together reach `mass`; one always stays."""
    kept = np.float64(0.0)
    for n in range(len(probs)):
        scratch[n], probs[n] = probs[n], np.float32(0.0)
    while kept == 0.0 or kept < mass:
        best = _argmax(scratch, len(scratch))
        if scratch[best] < 0.0:
            break
        probs[best], scratch[best] = scratch[best], np.float32(-1.0)
        kept += probs[best]


@njit(**OPTIONS)
def _draw(logits, probs, scratch, uniform, temperature, top_p):  # type: ignore[no-untyped-def]
    """The bin at which the cumulative distribution passes `uniform`, as sample_categorical."""
    noinline()
    best = _argmax(logits, len(probs))
    if temperature == 0.0:
        return best
    highest = logits[best]
    scale = np.float32(min(LOG2_E / temperature, 1e30))  # finite, because 0 times infinity is NaN
    total = np.float64(0.0)
    for n in range(len(probs)):
        probs[n] = exp2((logits[n] - highest) * scale)
    for n in range(len(probs)):
        total += np.float64(probs[n])
    if top_p < 1.0:
        _nucleus(probs, scratch, top_p * total)
        total = np.float64(0.0)
        for n in range(len(probs)):
            total += np.float64(probs[n])
    threshold, passed = uniform * total, np.float64(0.0)
    for n in range(len(probs)):
        passed += np.float64(probs[n])
        if passed > threshold:
            return n
    return len(probs) - 1


@njit(**OPTIONS)
def _precompute_past(time, precomputed, a_step, streams, weights):  # type: ignore[no-untyped-def]
    """Past taps of one stream's next LOOKAHEAD samples: to precomputed (layers x LOOKAHEAD, a_step), flat."""
    noinline()
    residual, cache = weights.embedding.shape[1], 0
    depth = residual // weights.inputs_per_row
    size = depth * ((2 * residual + NARROW - 1) // NARROW) * NARROW
    for layer in range(len(weights.dilations)):
        dilation = weights.dilations[layer]
        if dilation >= LOOKAHEAD:
            first, slot = layer * LOOKAHEAD * a_step, (cache + (time & (dilation - 1))) * residual
            row(precomputed, first, LOOKAHEAD * a_step)[:] = np.float32(0.0)
            panel, rows = layer * size, 2 * residual
            add_product(
                precomputed,
                first,
                a_step,
                streams.caches,
                slot,
                residual,
                weights.precomputed_past,
                panel,
                depth,
                rows,
                LOOKAHEAD,
                NARROW,
            )
        cache += dilation


@njit(**OPTIONS)
def _layers(time, active, x, x_step, a, a_step, z, precomputed, biases, streams, weights):  # type: ignore[no-untyped-def]
    """All layers for one sample; a row of x, (R + U,), is the layer input and the sum of skips; updated."""
    noinline()
    count, residual = len(streams.previous), weights.embedding.shape[1]
    width, depth, outputs = weights.width, residual // weights.inputs_per_row, weights.out_bias.shape[1]
    gate_size = depth * ((2 * residual + width - 1) // width) * width
    out_size = depth * ((outputs + width - 1) // width) * width
    cache, rows = 0, 2 * residual
    for layer in range(len(weights.dilations)):
        dilation = weights.dilations[layer]
        slot = (cache + (time & (dilation - 1))) * count * residual
        cache += dilation
        for b in range(active):
            _copy(row(biases, (layer * count + b) * rows, rows), row(a, b * a_step, rows))
        panel = layer * gate_size
        if len(weights.precomputed_past) > 0 and dilation >= LOOKAHEAD:
            first = (layer * LOOKAHEAD + (time & (LOOKAHEAD - 1))) * a_step
            _add(row(precomputed, first, rows), row(a, START, rows))
        else:
            add_product(
                a,
                START,
                a_step,
                streams.caches,
                slot,
                residual,
                weights.past_tap,
                panel,
                depth,
                rows,
                active,
                width,
            )
        add_product(
            a, START, a_step, x, START, x_step, weights.current_tap, panel, depth, rows, active, width
        )
        for b in range(active):
            of_stream = row(x, b * x_step, residual)
            _copy(of_stream, row(streams.caches, slot + b * residual, residual))
            _add(row(weights.out_bias, layer * outputs, residual), of_stream)
            _gate(row(a, b * a_step, rows), row(z, b * residual, residual), residual)
        add_product(
            x, START, x_step, z, START, residual, weights.out, layer * out_size, depth, outputs, active, width
        )


@njit(**OPTIONS)
def _head(active, x, x_step, hidden, hidden_step, logits, logits_step, weights):  # type: ignore[no-untyped-def]
    """Logits of each stream from the sums of skips in x; the hidden units stay in `hidden`."""
    noinline()
    residual, outputs = weights.embedding.shape[1], weights.out_bias.shape[1]
    units, num_bins, width = len(weights.hidden_bias), len(weights.last_bias), weights.width
    for b in range(active):
        _rectify(row(x, b * x_step + residual, outputs - residual))
        _copy(weights.hidden_bias, row(hidden, b * hidden_step, units))
        _copy(weights.last_bias, row(logits, b * logits_step, num_bins))
    depth = (outputs - residual) // weights.inputs_per_row
    add_product(
        hidden, START, hidden_step, x, residual, x_step, weights.hidden, START, depth, units, active, width
    )
    _rectify(row(hidden, START, active * hidden_step))
    depth = units // weights.inputs_per_row
    add_product(
        logits,
        START,
        logits_step,
        hidden,
        START,
        hidden_step,
        weights.last,
        START,
        depth,
        num_bins,
        active,
        width,
    )


@njit(**OPTIONS)
def row_size(length):  # type: ignore[no-untyped-def]
    """Floats per row of a buffer: the products write whole panels."""
    return (length + WIDE - 1) // WIDE * WIDE


@njit(**OPTIONS)
def step_streams(start, hop, active, bins, temperature, top_p, conditioning, streams, weights):  # type: ignore[no-untyped-def]
    """Sample the streams for some code frames.

    Args:
        start: index of the first sample, for the caches.
        hop: samples per code frame.
        active: number of streams that have not ended; they come first.
        bins: (B, T), int64, written; T = frames x hop.
        temperature, top_p: as of sample_categorical.
        conditioning: a ConditioningBlock.
        streams: their state; updated.
        weights: of the decoder.
    """
    conditioning, streams, weights = borrowed(conditioning), borrowed(streams), borrowed(weights)
    residual, outputs = weights.embedding.shape[1], weights.out_bias.shape[1]
    num_bins = len(weights.last_bias)
    units, count = len(weights.hidden_bias), len(streams.previous)
    x_step, a_step, hidden_step = row_size(outputs), row_size(2 * residual), row_size(units)
    logits_step = row_size(num_bins)
    x, a = np.zeros(count * x_step, np.float32), np.zeros(count * a_step, np.float32)
    z, hidden = np.zeros(count * residual, np.float32), np.zeros(count * hidden_step, np.float32)
    logits, skips = streams.logits, np.zeros(outputs, np.float32)
    precomputed = np.zeros(
        len(weights.dilations) * LOOKAHEAD * a_step if len(weights.precomputed_past) > 0 else 0, np.float32
    )
    probs, scratch = np.zeros(num_bins, np.float32), np.zeros(num_bins, np.float32)
    for layer in range(len(weights.dilations)):
        for n in range(residual, outputs):
            skips[n] += weights.out_bias[layer, n]
    for t in range(bins.shape[1]):
        for b in range(active):
            of_stream = row(x, b * x_step, residual)
            _copy(row(weights.embedding, streams.previous[b] * residual, residual), of_stream)
            phase = np.int64(conditioning.phases[b, t])
            _add(row(weights.phase_embedding, phase * residual, residual), of_stream)
            _copy(row(skips, residual, outputs - residual), row(x, b * x_step + residual, outputs - residual))
        offset_in_block = (start + t) & (LOOKAHEAD - 1)  # a call may start inside a block
        if len(weights.precomputed_past) > 0 and (offset_in_block == 0 or t == 0):
            _precompute_past(start + t - offset_in_block, precomputed, a_step, streams, weights)
        _layers(
            start + t,
            active,
            x,
            x_step,
            a,
            a_step,
            z,
            precomputed,
            conditioning.biases[t // hop],
            streams,
            weights,
        )
        _head(active, x, x_step, hidden, hidden_step, logits, logits_step, weights)
        for b in range(active):
            of_stream = row(logits, b * logits_step, num_bins)
            sampled = _draw(of_stream, probs, scratch, conditioning.uniforms[b, t], temperature, top_p)
            streams.previous[b] = bins[b, t] = sampled
