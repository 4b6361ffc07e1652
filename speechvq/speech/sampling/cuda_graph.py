"""Sampling on a GPU: the cached step as a CUDA graph over all streams.

A step is a hundred small kernels; launching them costs ten times their work. A graph launches them as one, so every
tensor of the step has to stay where it is: time and place in the code frame are tensors too.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.cached_step import CachedStep
from speechvq.speech.sampling.request import ConditioningChunk, SynthesisRequest

WARM_UP = 3  # steps before the capture, in which libraries choose and allocate


class FrameStep(CachedStep):
    """A step whose inputs and outputs stay in place for a code frame: what a graph can repeat."""

    def __init__(self, wavenet: WaveNet, request: SynthesisRequest, temperature: float, top_p: float) -> None:
        """Room for the streams of a request; `load` fills it for a frame, then `__call__` takes a sample at a time."""
        streams, device = len(request.vectors), request.vectors.device
        super().__init__(wavenet, streams)
        self.temperature, self.top_p = temperature, top_p
        self.clock = torch.zeros(1, dtype=torch.long, device=device)  # samples since the beginning
        self.place = torch.zeros(1, dtype=torch.long, device=device)  # samples since the frame began
        self.before = torch.full((streams,), wavenet.config.mulaw_bins // 2, device=device)
        self.levels = torch.zeros(streams, request.hop, dtype=torch.long, device=device)
        self.chance = torch.zeros(streams, request.hop, dtype=torch.float64, device=device)
        self.biases, self.phases = (self._room(part) for part in request.conditioning(wavenet, 0, 1))

    def load(self, piece: ConditioningChunk, chance: Tensor) -> None:
        """Take what is told for one code frame, and its uniforms (B, hop)."""
        for room, part in zip((self.biases, self.phases, self.chance), (*piece, chance)):
            if room is not None and part is not None:
                room.copy_(part)
        self.place.zero_()

    def step_sample(self) -> None:
        """Sample one level of every stream into `levels`; nothing but tensors changes."""
        condition = self.biases[..., 0].unflatten(1, (len(self.wavenet.layers), -1)).transpose(0, 1)
        phase = None if self.phases is None else self.phases.index_select(1, self.place)[:, 0]
        logits = self(self.before, condition, phase)
        level = sample_categorical(
            logits, self.chance.index_select(1, self.place)[:, 0], self.temperature, self.top_p
        )
        self.levels.index_copy_(1, self.place, level[:, None])
        self.before.copy_(level)
        self.clock += 1
        self.place += 1

    def read_cache(self, ring: Tensor) -> Tensor:
        """As in CachedStep, by the clock on the device."""
        return ring.index_select(0, self.clock % len(ring))[0]

    def write_cache(self, ring: Tensor, x: Tensor) -> None:
        """As in CachedStep, by the clock on the device."""
        ring.index_copy_(0, self.clock % len(ring), x[None])

    def state(self) -> list[Tensor]:
        """All that a step changes."""
        return [self.clock, self.place, self.before, self.levels, *self.caches]

    @staticmethod
    def _room(part: Tensor | None) -> Any:
        return None if part is None else part.clone()


@torch.no_grad()
def sample_on_gpu(
    wavenet: WaveNet,
    request: SynthesisRequest,
    uniforms: Callable[[int, int], Tensor],
    temperature: float,
    top_p: float,
) -> Iterator[Tensor]:
    """As `sampler.sample_chunks`, a code frame at a time."""
    step, hop = FrameStep(wavenet, request, temperature, top_p), request.hop
    own = torch.tensor(request.lengths(), device=request.vectors.device)
    graph = capture(step)
    for frame in range(int(own.max())):
        step.load(request.conditioning(wavenet, frame, frame + 1), uniforms(frame * hop, (frame + 1) * hop))
        for _ in range(hop):
            graph.replay()
        yield step.levels * (frame < own)[:, None]


def capture(step: FrameStep) -> torch.cuda.CUDAGraph:
    """A graph of `step.advance`; the steps that it takes to make it are undone."""
    before = [tensor.clone() for tensor in step.state()]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP):
            step.place.zero_()
            step.step_sample()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step.step_sample()
    for tensor, was in zip(step.state(), before):
        tensor.copy_(was)
    return graph
