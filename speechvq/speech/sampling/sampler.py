"""Sampling a WaveNet sample by sample with the fastest engine of the machine."""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.cached_step import CachedStep
from speechvq.speech.sampling.request import Engine, Precision, SynthesisRequest, Uniforms


def sample(
    wavenet: WaveNet,
    vectors: Tensor,
    speaker: Tensor,
    uniforms: Tensor,
    *,
    f0: Tensor | None = None,
    num_frames: Tensor | None = None,
    phase: Tensor | None = None,
    on_frame: Callable[[int], None] | None = None,
    **options: Any,
) -> Tensor:
    """Sample mu-law bins from code vectors, each given the samples before it.

    Args:
        wavenet: the decoder.
        vectors: (B, N, D), quantized.
        speaker: (B,), int64.
        uniforms: (B, T), random numbers in [0, 1), one per sample, T a multiple of N. No other randomness is
            used.
        f0: (B, N), Hz, 0 where unvoiced; for a decoder that is conditioned on F0.
        num_frames: (B,), valid code frames of each stream; the frames after them do not change it.
        phase: (B, T), uint8, bins of `audio.glottal_phase`; for a decoder that is conditioned on the phase.
        on_frame: called now and then with the number of code frames that are done.
        options: temperature, top_p, engine and precision as of `sample_chunks`.

    Returns:
        (B, T), int64; 0 after the end of a stream.
    """
    request = SynthesisRequest(vectors, speaker, uniforms.shape[1] // vectors.shape[1], f0, num_frames, phase)
    bins = torch.zeros(uniforms.shape, dtype=torch.long, device=uniforms.device)
    done = 0
    for chunk in sample_chunks(wavenet, request, lambda start, stop: uniforms[:, start:stop], **options):
        bins[:, done : done + chunk.shape[1]] = chunk
        done += chunk.shape[1]
        if on_frame is not None:
            on_frame(done // request.hop)
    return bins


def sample_chunks(
    wavenet: WaveNet,
    request: SynthesisRequest,
    uniforms: Uniforms,
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    engine: Engine = "auto",
    precision: Precision = "fp32",
) -> Iterator[Tensor]:
    """Sample a request chunk by chunk, so that the memory does not grow with the length.

    Args:
        wavenet: the decoder.
        request: codes and conditions of the streams.
        uniforms: returns the random numbers of samples start to stop, (B, stop - start), float64 in [0, 1).
        temperature, top_p: as of `sample_categorical`.
        engine: "numba" runs compiled kernels on the CPU, "torch" the cached step in plain torch. "auto" takes
            numba on a CPU, and on a GPU the cached step as a CUDA graph.
        precision: of the weights of the kernels. bf16 reads half the memory and changes the logits by about
            0.01.

    Yields:
        Bins (B, n), int64, 0 after the end of a stream. Engines and batches give the same bins, except
        where rounding breaks a tie.

    Raises:
        ValueError: the kernels or bf16 on another device than the CPU, or bf16 with the torch engine.
    """
    device = request.vectors.device
    if _runs_kernels(engine, precision, device):
        from speechvq.speech.sampling import numba_engine  # numba takes a second to import

        yield from numba_engine.sample(wavenet, request, uniforms, temperature, top_p, precision)
    elif device.type == "cuda" and engine == "auto":
        from speechvq.speech.sampling.cuda_graph import sample_on_gpu

        yield from sample_on_gpu(wavenet, request, uniforms, temperature, top_p)
    else:
        yield from _sample_with_torch(wavenet, request, uniforms, temperature, top_p)


def _runs_kernels(engine: Engine, precision: Precision, device: torch.device) -> bool:
    """Whether the numba kernels sample; raises ValueError for a combination that no engine has."""
    on_cpu = device.type == "cpu"
    if engine == "numba" and not on_cpu:
        raise ValueError(f"engine 'numba' runs on the CPU, and the model is on '{device}'; use engine='auto'")
    kernels = on_cpu and engine != "torch"
    if precision != "fp32" and not kernels:
        raise ValueError(f"precision '{precision}' is for the numba engine on the CPU; use precision='fp32'")
    return kernels


@torch.no_grad()
def _sample_with_torch(
    wavenet: WaveNet, request: SynthesisRequest, uniforms: Uniforms, temperature: float, top_p: float
) -> Iterator[Tensor]:
    """The cached step in torch, one code frame at a time."""
    streams, hop = len(request.vectors), request.hop
    lengths = torch.tensor(request.lengths(), device=request.vectors.device)
    step = CachedStep(wavenet, streams)
    previous = torch.full((streams,), wavenet.config.mulaw_bins // 2, device=lengths.device)
    for frame in range(int(lengths.max())):
        biases, phases = request.conditioning(wavenet, frame, frame + 1)
        condition = biases[..., 0].unflatten(1, (len(wavenet.layers), -1)).transpose(0, 1).contiguous()
        randoms = uniforms(frame * hop, (frame + 1) * hop)
        bins = torch.empty(streams, hop, dtype=torch.long, device=lengths.device)
        for t in range(hop):
            phase = None if phases is None else phases[:, t]
            previous = sample_categorical(step(previous, condition, phase), randoms[:, t], temperature, top_p)
            bins[:, t] = previous
        yield bins * (frame < lengths)[:, None]
