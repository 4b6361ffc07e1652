"""Speaking requests sample by sample, by whatever computes a step fastest on the machine."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import torch
from torch import Tensor

from speechvq.categorical import sample_categorical
from speechvq.speech.decoder.wavenet import WaveNet
from speechvq.speech.sampling.cached_step import CachedStep
from speechvq.speech.sampling.request import SynthesisRequest


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
    """Speak codes: draw every sample given those drawn before.

    Args:
        wavenet: the decoder.
        vectors: (B, N, D), quantised.
        speaker: (B,), int64.
        uniforms: (B, T), in [0, 1), one a sample, T a multiple of N; they are all of the chance there is.
        pitch: (B, N), Hz, 0 where unvoiced; for a decoder that is told the pitch.
        frames: (B,), how many of the N are each stream's own; the others do not change its sound.
        phase: (B, T), uint8, classes of `audio.phase`; for a decoder that is told the phase.
        on_frame: told now and then how many code frames are done.
        options: temperature, top_p, engine and precision as in `sample_chunks`.

    Returns:
        (B, T), int64 levels; 0 in frames that are not a stream's own.
    """
    request = SynthesisRequest(vectors, speaker, uniforms.shape[1] // vectors.shape[1], f0, num_frames, phase)
    levels = torch.zeros(uniforms.shape, dtype=torch.long, device=uniforms.device)
    done = 0
    for piece in sample_chunks(wavenet, request, lambda start, stop: uniforms[:, start:stop], **options):
        levels[:, done : done + piece.shape[1]] = piece
        done += piece.shape[1]
        if on_frame is not None:
            on_frame(done // request.hop)
    return levels


def sample_chunks(
    wavenet: WaveNet,
    request: SynthesisRequest,
    uniforms: Callable[[int, int], Tensor],
    *,
    temperature: float = 1.0,
    top_p: float = 1.0,
    engine: Literal["auto", "numba", "torch"] = "auto",
    precision: Literal["fp32", "bf16"] = "fp32",
) -> Iterator[Tensor]:
    """Speak a request piece by piece, so that long sound needs little memory.

    Args:
        wavenet: the decoder.
        request: what the streams say.
        uniforms: gives those of samples start to stop, (B, stop - start), float64 in [0, 1): all the chance there is.
        temperature, top_p: as in `categorical.draw`.
        engine: the compiled kernels, or the step above; auto takes the kernels on a CPU, and on a GPU the step as a
            CUDA graph.
        precision: of the kernels' weights. bf16 reads half as much memory, and moves the logits by about 0.01.

    Yields:
        Levels (B, n), int64, 0 where a stream has ended: the same from either engine and in any company, but where
        rounding makes a tie fall the other way.
    """
    device = request.vectors.device
    chosen = engine if engine != "auto" else "numba" if device.type == "cpu" else "torch"
    if chosen == "numba":
        from speechvq.speech.sampling.numba_engine import sample  # numba takes a second to import

        yield from sample(wavenet, request, uniforms, temperature, top_p, precision)
    elif device.type == "cuda" and engine == "auto":
        from speechvq.speech.sampling.cuda_graph import sample_on_gpu

        yield from sample_on_gpu(wavenet, request, uniforms, temperature, top_p)
    else:
        yield from _sample_with_torch(wavenet, request, uniforms, temperature, top_p)


@torch.no_grad()
def _sample_with_torch(
    wavenet: WaveNet,
    request: SynthesisRequest,
    uniforms: Callable[[int, int], Tensor],
    temperature: float,
    top_p: float,
) -> Iterator[Tensor]:
    """The torch step, a code frame after the other."""
    streams, hop = len(request.vectors), request.hop
    own = torch.tensor(request.lengths(), device=request.vectors.device)
    step = CachedStep(wavenet, streams)
    before = torch.full((streams,), wavenet.config.mulaw_bins // 2, device=own.device)
    for frame in range(int(own.max())):
        biases, phases = request.conditioning(wavenet, frame, frame + 1)
        condition = biases[..., 0].unflatten(1, (len(wavenet.layers), -1)).transpose(0, 1).contiguous()
        chance = uniforms(frame * hop, (frame + 1) * hop)
        levels = torch.empty(streams, hop, dtype=torch.long, device=own.device)
        for t in range(hop):
            phase = None if phases is None else phases[:, t]
            before = sample_categorical(step(before, condition, phase), chance[:, t], temperature, top_p)
            levels[:, t] = before
        yield levels * (frame < own)[:, None]
