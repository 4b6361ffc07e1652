"""Sampling with the numba kernels: streams shared among the cores, spoken in pieces."""

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from speechvq.config import WaveNetConfig
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling import kernels
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.weight_packing import pack

SAMPLES_PER_CALL = (
    4096  # samples a kernel call, about: bounds the memory of the biases, and how long Ctrl-C waits
)
Precision = Literal["fp32", "bf16"]


def sample(
    wavenet: WaveNet,
    request: SynthesisRequest,
    uniforms: Callable[[int, int], Tensor],
    temperature: float,
    top_p: float,
    precision: Precision = "fp32",
) -> Iterator[Tensor]:
    """As `sampler.sample_chunks`: one worker a core, each with its own streams."""
    warm_up_jit(precision)
    frames, hop = max(request.lengths(), default=0), request.hop
    groups = [
        StreamGroup(wavenet, request, part, precision)
        for part in balance_streams(request.lengths(), _cores())
    ]
    piece = max(SAMPLES_PER_CALL // hop, 1)
    with ThreadPoolExecutor(len(groups)) as pool:
        for first in range(0, frames, piece):
            last = min(first + piece, frames)
            chance = uniforms(first * hop, last * hop).double().numpy()
            levels = torch.zeros(len(chance), (last - first) * hop, dtype=torch.long)
            works = [
                pool.submit(group.step_frames, first, last, chance, temperature, top_p) for group in groups
            ]
            for group, work in zip(groups, works):
                levels[group.numbers] = torch.from_numpy(work.result())
            yield levels


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def balance_streams(lengths: list[int], cores: int) -> list[list[int]]:
    """Deal the streams out, the longest first, so that the cores end together: numbers of each core's streams."""
    order = sorted(range(len(lengths)), key=lambda number: -lengths[number])
    return [order[core::cores] for core in range(min(cores, len(order)))]


class StreamGroup:
    """The streams of one core, the longest first, and where they stand."""

    def __init__(
        self, wavenet: WaveNet, request: SynthesisRequest, numbers: list[int], precision: Precision
    ) -> None:
        self.wavenet, self.numbers, self.request = wavenet, numbers, request.select(numbers)
        self.lengths = np.array(self.request.lengths())
        self.weights = pack(wavenet, len(numbers), precision)
        residual, count = wavenet.config.residual_channels, len(numbers)
        self.streams = kernels.Streams(
            before=np.full(count, wavenet.config.mulaw_bins // 2, np.int64),
            rings=np.zeros(int(self.weights.dilations.sum()) * count * residual, np.float32),
            logits=np.zeros(count * kernels.row_size(wavenet.config.mulaw_bins), np.float32),
        )

    def step_frames(
        self, first: int, last: int, chance: np.ndarray, temperature: float, top_p: float
    ) -> np.ndarray:
        """Sample code frames first to last: the uniforms of all streams (B, T) to this group's levels, 0 past an end."""
        hop, live = self.request.hop, int((self.lengths > first).sum())
        levels = np.zeros((len(self.numbers), (last - first) * hop), np.int64)
        if live:
            told = self.conditioning_block(first, last, chance)
            kernels.step_streams(
                first * hop,
                hop,
                live,
                levels,
                float(temperature),
                float(top_p),
                told,
                self.streams,
                self.weights,
            )
        own = (self.lengths - first).clip(0)[:, None] * hop
        levels[np.arange(levels.shape[1]) >= own] = 0
        return levels

    def conditioning_block(self, first: int, last: int, chance: np.ndarray) -> kernels.ConditioningBlock:
        """What the kernels are told; with the factor of 2^x folded into the biases."""
        biases, phases = self.request.conditioning(self.wavenet, first, last)
        layers = len(self.weights.dilations)
        biases = (-kernels.LOG2_E * biases).unflatten(1, (layers, -1)).permute(3, 1, 0, 2)
        if phases is None:
            phases = torch.zeros(len(self.numbers), chance.shape[1], dtype=torch.uint8)
        parts = (np.ascontiguousarray(each.numpy()) for each in (biases, phases))
        return kernels.ConditioningBlock(*parts, uniforms=np.ascontiguousarray(chance[self.numbers]))


def teacher_forced_logits(
    wavenet: WaveNet, request: SynthesisRequest, levels: Tensor, precision: Precision = "fp32"
) -> Tensor:
    """The kernels' logits where every sample is given, to hold against the parallel forward.

    Args:
        wavenet: the decoder.
        request: what is said, in streams of one length.
        levels: (B, T), int64, the samples.
        precision: of the weights.

    Returns:
        (B, T, levels), float32.
    """
    group, hop, count = (
        StreamGroup(wavenet, request, list(range(len(levels))), precision),
        request.hop,
        len(levels),
    )
    told, streams = group.conditioning_block(0, levels.shape[1] // hop, np.zeros(levels.shape)), group.streams
    logits = np.empty((*levels.shape, wavenet.config.mulaw_bins), np.float32)
    for t, level in enumerate(levels.t().numpy()):
        frame, sample = slice(t // hop, t // hop + 1), slice(t, t + 1)
        phases = np.ascontiguousarray(told.phases[:, sample])
        now = kernels.ConditioningBlock(told.biases[frame], phases, np.zeros((count, 1)))
        kernels.step_streams(
            t, 1, count, np.zeros((count, 1), np.int64), 0.0, 1.0, now, streams, group.weights
        )
        logits[:, t] = streams.logits.reshape(count, -1)[:, : logits.shape[2]]
        streams.before[:] = level
    return torch.from_numpy(logits)


@functools.cache
def warm_up_jit(precision: Precision) -> None:
    """Load or make the machine code on a model of nothing, and say why the first sound on a machine takes longer."""
    line = "compiling the sampler, once for this machine (some seconds) ..."
    said = threading.Timer(2.0, print, [line], {"file": sys.stderr})
    tiny = WaveNet(WaveNetConfig(1, 1, 8, 8, 8, 8, 8, 8), dim=8, speakers=1)
    said.start()
    try:
        request = SynthesisRequest(torch.zeros(1, 1, 8), torch.zeros(1, dtype=torch.long), 1)
        StreamGroup(tiny, request, [0], precision).step_frames(0, 1, np.zeros((1, 1)), 1.0, 1.0)
    finally:  # Ctrl-C too
        said.cancel()
