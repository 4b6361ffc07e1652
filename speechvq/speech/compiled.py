"""Sampling with the numba kernels: weights laid out for them, streams shared among the cores."""

import functools
import os
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from speechvq.config import WaveNetConfig
from speechvq.speech import kernels
from speechvq.speech.predictor import PAST
from speechvq.speech.wavenet import WaveNet

PIECE = 4096  # samples a kernel call, about: bounds the memory of the biases, and how long Ctrl-C waits
STREAMS_A_CORE = 64  # at most, side by side; more would not fit the cache
LOG2_E = 1.4426950408889634


class Packed(NamedTuple):
    """A WaveNet's weights in the order of `kernels.step_streams`' arguments."""

    dilations: np.ndarray
    table: np.ndarray
    gates: np.ndarray
    outs: np.ndarray
    out_biases: np.ndarray
    hidden: np.ndarray
    hidden_bias: np.ndarray
    last: np.ndarray
    last_bias: np.ndarray
    short: int
    refine: np.ndarray
    refine_bias: np.ndarray
    centres: np.ndarray
    log_widths: np.ndarray


def pack(wavenet: WaveNet) -> Packed:
    """Weights for the kernels; the factors of tanh, sigmoid and skip sum are folded in."""
    residual, layers = wavenet.config.residual, list(wavenet.layers)
    exponent = torch.cat([torch.full((residual, 1), -2 * LOG2_E), torch.full((residual, 1), -LOG2_E)])
    scale = torch.ones(residual + wavenet.config.skip, 1)
    scale[residual:] = len(layers) ** -0.5
    tensors = {
        "dilations": torch.tensor([layer.dilation for layer in layers]),
        "table": wavenet.embedding,
        "gates": torch.stack([exponent * layer.gate.cpu() for layer in layers]),
        "outs": torch.stack([scale * layer.out.cpu() for layer in layers]),
        "out_biases": torch.stack([scale * layer.out_bias.cpu() for layer in layers]),
        "hidden": wavenet.hidden.weight,
        "hidden_bias": wavenet.hidden.bias[:, None],
        "last": wavenet.logits.weight,
        "last_bias": wavenet.logits.bias[:, None],
    }
    if (predictor := wavenet.predictor) is not None:
        tensors |= {"refine": predictor.refine.weight, "refine_bias": predictor.refine.bias}
        tensors |= {"centres": predictor.centres, "log_widths": predictor.log_widths}
    else:
        tensors |= {"refine": torch.zeros(2, 1), "refine_bias": torch.zeros(2)}
        tensors |= {"centres": torch.zeros(1), "log_widths": torch.zeros(1)}
    arrays = {name: np.ascontiguousarray(t.detach().cpu().numpy()) for name, t in tensors.items()}
    return Packed(short=wavenet.config.short_taps, **arrays)


def speak(
    wavenet: WaveNet,
    features: Tensor,
    lags: Tensor | None,
    uniforms: Tensor,
    levels: Tensor,
    temperature: float,
    top_p: float,
) -> Iterator[int]:
    """Fill `levels` (B, T) from the conditioning's features (B, C, N) and the pitch periods (B, T).

    Yields the code frames done.
    """
    _compile()
    streams, frames = len(levels), features.shape[-1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    groups = max(min(cores, streams), -(-streams // STREAMS_A_CORE))
    lags = torch.zeros_like(levels) if lags is None else lags
    parts = [slice(i * streams // groups, (i + 1) * streams // groups) for i in range(groups)]
    packed, streamed = pack(wavenet), (features, lags, uniforms, levels)
    workers = [_Group(wavenet, packed, *(t[part] for t in streamed), temperature, top_p) for part in parts]
    piece = max(PIECE * frames // levels.shape[1], 1)
    # One thread in BLAS: the groups are the threads.
    with threadpool_limits(1), ThreadPoolExecutor(min(cores, groups)) as pool:
        for first in range(0, frames, piece):
            last = min(first + piece, frames)
            list(pool.map(lambda worker: worker.advance(first, last), workers))
            yield last


class _Group:
    """Some of the streams, and where their rings stand."""

    def __init__(
        self,
        wavenet: WaveNet,
        packed: Packed,
        features: Tensor,
        lags: Tensor,
        uniforms: Tensor,
        levels: Tensor,
        temperature: float,
        top_p: float,
    ) -> None:
        self.wavenet, self.packed, self.features = wavenet, packed, features
        self.lags, self.uniforms, self.levels = lags.numpy(), uniforms.double().numpy(), levels.numpy()
        self.temperature, self.top_p = float(temperature), float(top_p)
        self.hop = levels.shape[1] // features.shape[-1]
        self.before = np.full(len(levels), wavenet.config.levels // 2, np.int64)
        self.past = np.zeros((len(levels), PAST), np.float32)
        self.rings = np.zeros((int(self.packed.dilations.sum()), wavenet.config.residual, len(levels)), np.float32)

    def advance(self, first: int, last: int) -> None:
        """Sample code frames first to last."""
        part = slice(first * self.hop, last * self.hop)
        levels = np.empty((len(self.levels), part.stop - part.start), np.int64)
        kernels.step_streams(
            part.start,
            self.hop,
            self.before,
            levels,
            np.ascontiguousarray(self.uniforms[:, part]),
            self.temperature,
            self.top_p,
            *self._conditions(first, last),
            np.ascontiguousarray(self.lags[:, part]),
            self.rings,
            self.past,
            *self.packed,
        )
        self.levels[:, part] = levels

    @torch.no_grad()
    def _conditions(self, first: int, last: int) -> tuple[np.ndarray, np.ndarray]:
        """The gates' biases (frames, layers, 2 R, B), with the factor of 2^x folded in, and the predictor's weights."""
        features = self.features[..., first:last]
        biases = -LOG2_E * self.wavenet.conditioning(features)
        biases = biases.unflatten(1, (len(self.packed.dilations), -1)).permute(3, 1, 2, 0)
        predictor = self.wavenet.predictor
        weights = torch.zeros(1, len(features), 1) if predictor is None else predictor.weights(features).permute(2, 0, 1)
        return np.ascontiguousarray(biases.numpy()), np.ascontiguousarray(weights.numpy())


@functools.cache
def _compile() -> None:
    """Load or make the machine code on a model of nothing, and say why the first sound on a machine takes longer."""
    said = threading.Timer(2.0, print, ["compiling the sampler, once for this machine ..."], {"file": sys.stderr})
    whole = torch.zeros(1, 1, dtype=torch.long)
    tiny = WaveNet(WaveNetConfig(1, 1, 8, 8, 8, 8, 8, 8), dim=8, speakers=1)
    said.start()
    try:
        with threadpool_limits(1):
            group = _Group(tiny, pack(tiny), torch.zeros(1, 8, 1), whole, torch.zeros(1, 1), whole.clone(), 1.0, 1.0)
            group.advance(0, 1)
    finally:  # Ctrl-C too
        said.cancel()
