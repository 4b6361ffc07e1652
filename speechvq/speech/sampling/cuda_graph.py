"""Sampling on a GPU: the cached step of all streams as a CUDA graph.

A step is about a hundred small kernels, and launching them takes ten times as long as running them. A graph
launches them at once. Every tensor of the step then has to keep its address, so the time and the position in
the code frame are tensors too.
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.cached_step import CachedStep
from speechvq.speech.sampling.request import ConditioningChunk, SynthesisRequest, Uniforms

WARM_UP_STEPS = 3  # before the capture; libraries choose algorithms and allocate memory in them


class FrameStep(CachedStep):
    """A cached step whose inputs and outputs keep their addresses, so that a graph can repeat it."""

    def __init__(self, wavenet: WaveNet, request: SynthesisRequest, temperature: float, top_p: float) -> None:
        """Allocate the buffers; `load` fills them for a frame, then each `step_sample` samples once.

        Args:
            wavenet: the decoder.
            request: the streams.
            temperature, top_p: as of `sample_categorical`.
        """
        streams, device = len(request.vectors), request.vectors.device
        super().__init__(wavenet, streams)
        self.temperature, self.top_p = temperature, top_p
        self.clock = torch.zeros(1, dtype=torch.long, device=device)  # samples since the beginning
        self.position = torch.zeros(1, dtype=torch.long, device=device)  # samples since the frame began
        self.previous = torch.full((streams,), wavenet.config.mulaw_bins // 2, device=device)
        self.bins = torch.zeros(streams, request.hop, dtype=torch.long, device=device)
        self.uniforms = torch.zeros(streams, request.hop, dtype=torch.float64, device=device)
        first = request.conditioning(wavenet, 0, 1)
        self.biases = first.biases.clone()
        self.phases = None if first.phases is None else first.phases.clone()

    def load(self, chunk: ConditioningChunk, uniforms: Tensor) -> None:
        """Copy the conditioning of one code frame and its random numbers (B, hop) into the buffers."""
        self.biases.copy_(chunk.biases)
        if self.phases is not None and chunk.phases is not None:
            self.phases.copy_(chunk.phases)
        self.uniforms.copy_(uniforms)
        self.position.zero_()

    def step_sample(self) -> None:
        """Sample one bin of every stream into `bins`; only tensors change."""
        condition = self.biases[..., 0].unflatten(1, (len(self.wavenet.layers), -1)).transpose(0, 1)
        phase = None if self.phases is None else self.phases.index_select(1, self.position)[:, 0]
        logits = self(self.previous, condition, phase)
        uniforms = self.uniforms.index_select(1, self.position)[:, 0]
        sampled = sample_categorical(logits, uniforms, self.temperature, self.top_p)
        self.bins.index_copy_(1, self.position, sampled[:, None])
        self.previous.copy_(sampled)
        self.clock += 1
        self.position += 1

    def read_cache(self, cache: Tensor) -> Tensor:
        """As in CachedStep, with the clock on the device."""
        return cache.index_select(0, self.clock % len(cache))[0]

    def write_cache(self, cache: Tensor, x: Tensor) -> None:
        """As in CachedStep, with the clock on the device."""
        cache.index_copy_(0, self.clock % len(cache), x[None])

    def state(self) -> list[Tensor]:
        """All tensors that a step changes."""
        return [self.clock, self.position, self.previous, self.bins, *self.caches]


@torch.no_grad()
def sample_on_gpu(
    wavenet: WaveNet, request: SynthesisRequest, uniforms: Uniforms, temperature: float, top_p: float
) -> Iterator[Tensor]:
    """As `sampler.sample_chunks`, one code frame at a time."""
    step, hop = FrameStep(wavenet, request, temperature, top_p), request.hop
    lengths = torch.tensor(request.lengths(), device=request.vectors.device)
    graph = capture(step)
    for frame in range(int(lengths.max())):
        step.load(request.conditioning(wavenet, frame, frame + 1), uniforms(frame * hop, (frame + 1) * hop))
        for _ in range(hop):
            graph.replay()
        yield step.bins * (frame < lengths)[:, None]


def capture(step: FrameStep) -> torch.cuda.CUDAGraph:
    """A graph of `step.step_sample`; the state is as before, although the capture runs some steps."""
    saved = [tensor.clone() for tensor in step.state()]
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(WARM_UP_STEPS):
            step.position.zero_()
            step.step_sample()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        step.step_sample()
    for tensor, before in zip(step.state(), saved):
        tensor.copy_(before)
    return graph
