"""Time of the parts of the batched kernel: its products, gates and categorical draws alone, and the whole."""

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numba import njit

from sampling import DIM, HOP, random_wavenet
from speechvq.config import WAVENET_SIZES
from speechvq.speech.sampling import kernels
from speechvq.speech.sampling.kernels import START, row_size
from speechvq.speech.sampling.matmul_kernels import OPTIONS, add_product
from speechvq.speech.sampling.numba_engine import StreamGroup
from speechvq.speech.sampling.request import SynthesisRequest
from timing import REPEATS, one_core

FRAMES = 4  # code frames per repetition
ALONE: dict[str, Any] = {**OPTIONS, "cache": False}


@njit(**ALONE)
def products(times, active, x, a, z, hidden, logits, cache, weights):  # type: ignore[no-untyped-def]
    """All matrix products of a sample, without the work between them."""
    residual, outputs = weights.embedding.shape[1], weights.out_bias.shape[1]
    units, num_bins, width = len(weights.hidden_bias), len(weights.last_bias), weights.width
    x_step, a_step, hidden_step = row_size(outputs), row_size(2 * residual), row_size(units)
    gate, out = residual * a_step, residual * x_step
    for _ in range(times):
        for layer in range(len(weights.dilations)):
            place = layer * gate
            add_product(
                a,
                START,
                a_step,
                cache,
                START,
                residual,
                weights.past_tap,
                place,
                residual,
                2 * residual,
                active,
                width,
            )
            add_product(
                a,
                START,
                a_step,
                x,
                START,
                x_step,
                weights.current_tap,
                place,
                residual,
                2 * residual,
                active,
                width,
            )
            add_product(
                x,
                START,
                x_step,
                z,
                START,
                residual,
                weights.out,
                layer * out,
                residual,
                outputs,
                active,
                width,
            )
        depth = outputs - residual
        add_product(
            hidden,
            START,
            hidden_step,
            x,
            residual,
            x_step,
            weights.hidden,
            START,
            depth,
            units,
            active,
            width,
        )
        add_product(
            logits,
            START,
            row_size(num_bins),
            hidden,
            START,
            hidden_step,
            weights.last,
            START,
            units,
            num_bins,
            active,
            width,
        )


@njit(**ALONE)
def gates(times, active, layers, residual, a, z):  # type: ignore[no-untyped-def]
    """All gates of a sample."""
    for _ in range(times * layers):
        for b in range(active):
            kernels._gate(a[b * row_size(2 * residual) :], z[b * residual :], residual)


@njit(**ALONE)
def draws(times, active, logits, probs, scratch):  # type: ignore[no-untyped-def]
    """All categorical draws of a sample."""
    total = 0
    for t in range(times):
        for b in range(active):
            total += kernels._draw(
                logits[b * row_size(len(probs)) :], probs, scratch, (t + 0.5) / times, 1.0, 1.0
            )
    return total


def main() -> None:
    """Print processor microseconds per stream and sample."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=64)
    streams = parser.parse_args().streams
    one_core()
    config, times = WAVENET_SIZES["S"], FRAMES * HOP
    request = SynthesisRequest(torch.randn(streams, FRAMES, DIM), torch.zeros(streams, dtype=torch.long), HOP)
    group, rng = (
        StreamGroup(random_wavenet(config), request, list(range(streams)), "fp32"),
        np.random.default_rng(0),
    )
    uniforms = rng.random((streams, times))
    sizes = [
        row_size(each)
        for each in (config.residual_channels + config.skip_channels, 2 * config.residual_channels)
    ]
    sizes += [
        config.residual_channels,
        row_size(config.hidden_channels),
        row_size(config.mulaw_bins),
        config.residual_channels,
    ]
    buffers = [np.zeros(streams * size, np.float32) for size in sizes]
    logits, scratch = buffers[4], [np.zeros(config.mulaw_bins, np.float32) for _ in range(2)]
    layers = len(group.weights.dilations)
    works: dict[str, Callable[[], object]] = {
        "whole": lambda: group.step_frames(0, FRAMES, uniforms, 1.0, 1.0),
        "products": lambda: products(times, streams, *buffers, group.weights),
        "gates": lambda: gates(times, streams, layers, config.residual_channels, buffers[1], buffers[2]),
        "draws": lambda: draws(times, streams, logits, *scratch),
    }
    spent = {name: microseconds(work) / (times * streams) for name, work in works.items()}
    spent["rest"] = 2 * spent["whole"] - sum(spent.values())
    print(f"decoder S, {streams} streams, microseconds per stream and sample:")
    print(", ".join(f"{name} {value:.1f}" for name, value in spent.items()))


def microseconds(work: Callable[[], object]) -> float:
    """Median processor time in microseconds, after one call that compiles."""
    work()
    seconds = []
    for _ in range(REPEATS):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return 1e6 * statistics.median(seconds)


if __name__ == "__main__":
    main()
