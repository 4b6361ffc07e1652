"""Sampling with the numba kernels: the streams are divided among the cores and sampled in chunks."""

import functools
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import torch
from torch import Tensor

from speechvq.config import WaveNetConfig
from speechvq.runtime.compilation.notice import compile_notice
from speechvq.runtime.signals import deferred_stop
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling import kernels
from speechvq.speech.sampling.request import Precision, SynthesisRequest, Uniforms
from speechvq.speech.sampling.weight_packing import pack

SAMPLES_PER_BLOCK = 4096  # of a stream, about: bounds the memory of the biases
# Of all streams of a group: bounds the time for which a kernel cannot be stopped, to a second on slow cores.
SAMPLES_PER_CALL = 16_384


def sample(
    wavenet: WaveNet,
    request: SynthesisRequest,
    uniforms: Uniforms,
    temperature: float,
    top_p: float,
    precision: Precision = "fp32",
) -> Iterator[Tensor]:
    """As `sampler.sample_chunks`: one worker thread per core, each with its own streams."""
    warm_up_jit(precision)
    frames, hop = max(request.lengths(), default=0), request.hop
    groups = [
        StreamGroup(wavenet, request, indices, precision)
        for indices in balance_streams(request.lengths(), _cores())
    ]
    frames_per_block = max(SAMPLES_PER_BLOCK // hop, 1)
    with _threads(groups) as pool:
        for start in range(0, frames, frames_per_block):
            stop = min(start + frames_per_block, frames)
            randoms = uniforms(start * hop, stop * hop).double().numpy()
            bins = torch.zeros(len(randoms), (stop - start) * hop, dtype=torch.long)
            jobs = [
                pool.submit(group.step_frames, start, stop, randoms, temperature, top_p) for group in groups
            ]
            for group, job in zip(groups, jobs):
                bins[group.indices] = torch.from_numpy(job.result())
            yield bins


@contextmanager
def _threads(groups: Sequence["StreamGroup"]) -> Iterator[ThreadPoolExecutor]:
    """One thread per group; after an exception, such as that of Ctrl-C, the groups stop soon."""
    pool = ThreadPoolExecutor(max(len(groups), 1))
    try:
        yield pool
    except BaseException:
        for group in groups:
            group.is_stopped = True
        raise
    finally:
        with deferred_stop():
            pool.shutdown()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def balance_streams(lengths: list[int], cores: int) -> list[list[int]]:
    """Stream indices for each core, the longest first, so that all cores finish at about the same time."""
    order = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    return [order[core::cores] for core in range(min(cores, len(order)))]


class StreamGroup:
    """The streams of one core, the longest first, with their state."""

    def __init__(
        self, wavenet: WaveNet, request: SynthesisRequest, indices: list[int], precision: Precision
    ) -> None:
        """
        Args:
            wavenet: the decoder.
            request: all streams.
            indices: streams of this group.
            precision: of the weights.
        """
        self.wavenet, self.indices, self.request = wavenet, indices, request.select(indices)
        self.lengths, self.is_stopped = np.array(self.request.lengths()), False
        self.weights = pack(wavenet, len(indices), precision)
        residual, count = wavenet.config.residual_channels, len(indices)
        self.streams = kernels.Streams(
            previous=np.full(count, wavenet.config.mulaw_bins // 2, np.int64),
            caches=np.zeros(int(self.weights.dilations.sum()) * count * residual, np.float32),
            logits=np.zeros(count * kernels.row_size(wavenet.config.mulaw_bins), np.float32),
        )

    def step_frames(
        self, start: int, stop: int, randoms: np.ndarray, temperature: float, top_p: float
    ) -> np.ndarray:
        """Sample code frames start to stop of this group.

        Args:
            start, stop: code frames.
            randoms: (B, T), float64, uniform, of all streams.
            temperature, top_p: as of `sample_categorical`.

        Returns:
            (streams of the group, T), int64 mu-law bins, 0 after the end of a stream.
        """
        hop, active = self.request.hop, int((self.lengths > start).sum())
        bins = np.zeros((len(self.indices), (stop - start) * hop), np.int64)
        if active:
            self._run_kernel(start, active, bins, temperature, top_p, randoms)
        remaining = (self.lengths - start).clip(0)[:, None] * hop
        bins[np.arange(bins.shape[1]) >= remaining] = 0
        return bins

    def _run_kernel(
        self, start: int, active: int, bins: np.ndarray, temperature: float, top_p: float, randoms: np.ndarray
    ) -> None:
        """Fill `bins` by short calls of the kernel, between which the group can be stopped."""
        hop, frames = self.request.hop, bins.shape[1] // self.request.hop
        block = self.conditioning_block(start, start + frames, randoms)
        frames_per_call = max(SAMPLES_PER_CALL // (active * hop), 1)
        for first in range(0, frames, frames_per_call):
            if self.is_stopped:
                return
            last = min(first + frames_per_call, frames)
            part = np.zeros((len(bins), (last - first) * hop), np.int64)
            kernels.step_streams(
                (start + first) * hop,
                hop,
                active,
                part,
                float(temperature),
                float(top_p),
                block.frames(first, last, hop),
                self.streams,
                self.weights,
            )
            bins[:, first * hop : last * hop] = part

    def conditioning_block(self, start: int, stop: int, randoms: np.ndarray) -> kernels.ConditioningBlock:
        """Conditioning and random numbers of this group; the biases include the factor for powers of 2."""
        biases, phases = self.request.conditioning(self.wavenet, start, stop)
        layers = len(self.weights.dilations)
        biases = (-kernels.LOG2_E * biases).unflatten(1, (layers, -1)).permute(3, 1, 0, 2)
        if phases is None:
            phases = torch.zeros(len(self.indices), randoms.shape[1], dtype=torch.uint8)
        return kernels.ConditioningBlock(
            biases=np.ascontiguousarray(biases.numpy()),
            phases=np.ascontiguousarray(phases.numpy()),
            uniforms=np.ascontiguousarray(randoms[self.indices]),
        )


def teacher_forced_logits(
    wavenet: WaveNet, request: SynthesisRequest, bins: Tensor, precision: Precision = "fp32"
) -> Tensor:
    """Logits of the kernels with every previous sample given, for comparison with the parallel forward pass.

    Args:
        wavenet: the decoder.
        request: streams of equal length.
        bins: (B, T), int64, mu-law bins of the samples.
        precision: of the weights.

    Returns:
        (B, T, mulaw_bins), float32.
    """
    hop, count = request.hop, len(bins)
    group = StreamGroup(wavenet, request, list(range(count)), precision)
    streams = group.streams
    block = group.conditioning_block(0, bins.shape[1] // hop, np.zeros(bins.shape))
    logits = np.empty((*bins.shape, wavenet.config.mulaw_bins), np.float32)
    for t, current in enumerate(bins.t().numpy()):
        step = kernels.ConditioningBlock(
            biases=block.biases[t // hop : t // hop + 1],
            phases=np.ascontiguousarray(block.phases[:, t : t + 1]),
            uniforms=np.zeros((count, 1)),
        )
        sampled = np.zeros((count, 1), np.int64)
        kernels.step_streams(t, 1, count, sampled, 0.0, 1.0, step, streams, group.weights)
        logits[:, t] = streams.logits.reshape(count, -1)[:, : logits.shape[2]]
        streams.previous[:] = current
    return torch.from_numpy(logits)


@functools.cache
def warm_up_jit(precision: Precision) -> None:
    """Compile the kernels, or load them from numba's cache; a compilation is logged."""
    tiny = WaveNet(WaveNetConfig(1, 1, 8, 8, 8, 8, 8, 8), dim=8, num_speakers=1)
    with compile_notice("the sampler"):
        request = SynthesisRequest(torch.zeros(1, 1, 8), torch.zeros(1, dtype=torch.long), 1)
        StreamGroup(tiny, request, [0], precision).step_frames(0, 1, np.zeros((1, 1)), 1.0, 1.0)
