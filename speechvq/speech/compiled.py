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
    return Packed(**{name: np.ascontiguousarray(t.detach().cpu().numpy()) for name, t in tensors.items()})


def speak(
    wavenet: WaveNet, features: Tensor, uniforms: Tensor, levels: Tensor, temperature: float, top_p: float
) -> Iterator[int]:
    """Fill `levels` (B, T) from the conditioning's features (B, C, N); yields the code frames done."""
    _compile()
    streams, frames = len(levels), features.shape[-1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    groups = max(min(cores, streams), -(-streams // STREAMS_A_CORE))
    workers = [
        _Group(wavenet, features[part], uniforms[part].double().numpy(), levels[part].numpy(), temperature, top_p)
        for part in (slice(i * streams // groups, (i + 1) * streams // groups) for i in range(groups))
    ]
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
        features: Tensor,
        uniforms: np.ndarray,
        levels: np.ndarray,
        temperature: float,
        top_p: float,
    ) -> None:
        self.packed, self.project, self.features = pack(wavenet), wavenet.conditioning.project, features
        self.uniforms, self.levels = uniforms, levels
        self.temperature, self.top_p = float(temperature), float(top_p)
        self.hop = levels.shape[1] // features.shape[-1]
        self.before = np.full(len(levels), wavenet.config.levels // 2, np.int64)
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
            self._conditions(first, last),
            self.rings,
            *self.packed,
        )
        self.levels[:, part] = levels

    @torch.no_grad()
    def _conditions(self, first: int, last: int) -> np.ndarray:
        """(frames, layers, 2 R, B), with the factor of 2^x folded in."""
        biases = -LOG2_E * self.project(self.features[..., first:last])
        biases = biases.unflatten(1, (len(self.packed.dilations), -1))
        return np.ascontiguousarray(biases.permute(3, 1, 2, 0).numpy())


@functools.cache
def _compile() -> None:
    """Load or make the machine code on a model of nothing, and say why the first sound on a machine takes longer."""
    said = threading.Timer(2.0, print, ["compiling the sampler, once for this machine ..."], {"file": sys.stderr})
    said.start()
    tiny = WaveNet(WaveNetConfig(1, 1, 8, 8, 8, 8, 8, 8), dim=8, speakers=1)
    with threadpool_limits(1):
        _Group(tiny, torch.zeros(1, 8, 1), np.zeros((1, 1)), np.zeros((1, 1), np.int64), 1.0, 1.0).advance(0, 1)
    said.cancel()
