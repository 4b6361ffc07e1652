"""Scripts to sounds: the chance that a seed stands for, the sampler, and what it drew back to a waveform."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling.postprocess import Postprocessor
from speechvq.speech.sampling.request import SynthesisRequest
from speechvq.speech.sampling.sampler import sample_chunks


@dataclass(frozen=True)
class SamplingOptions:
    """How samples are drawn."""

    seed: int = (
        0  # of the chance, which is the same for every stream: a sound does not depend on its neighbours
    )
    temperature: float = 1.0  # see `categorical.draw`
    top_p: float = 1.0
    harmonic_boost: float = 0.9  # see `SourceFilter.forward`; of no effect on a decoder without one
    engine: Literal["auto", "numba", "torch"] = "auto"  # see `sampler.sample_chunks`
    precision: Literal["fp32", "bf16"] = "fp32"


def random_uniforms(seed: int, start: int, stop: int) -> Tensor:
    """Uniforms for samples start to stop of a seed's endless row, wherever one begins: (stop - start,), float64."""
    generator = np.random.Generator(np.random.PCG64(seed).advance(start))
    return torch.from_numpy(generator.random(stop - start))


def synthesize(
    decoder: Decoder,
    request: SynthesisRequest,
    sampling: SamplingOptions,
    *,
    offsets: Sequence[int] | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> list[np.ndarray]:
    """Sounds of all streams, in the memory that they take.

    Args:
        decoder: of the model.
        request: what the streams say.
        sampling: how samples are drawn.
        offsets: sample of a longer sound at which each stream begins: its chance begins there too. None for 0.
        on_frame: told now and then how many code frames are done.

    Returns:
        One (frames x hop,) float32 for each stream, at the package's level.
    """
    device, lengths = request.vectors.device, [frames * request.hop for frames in request.lengths()]
    starts = [0] * len(lengths) if offsets is None else offsets

    def uniforms(start: int, stop: int) -> Tensor:
        rows = {
            offset: random_uniforms(sampling.seed, offset + start, offset + stop) for offset in set(starts)
        }
        return torch.stack([rows[offset] for offset in starts]).to(device)

    waves = [np.empty(length, np.float32) for length in lengths]
    synthesis, done = Postprocessor(decoder, request, sampling.harmonic_boost), 0
    pieces = sample_chunks(
        decoder.wavenet,
        request,
        uniforms,
        temperature=sampling.temperature,
        top_p=sampling.top_p,
        engine=sampling.engine,
        precision=sampling.precision,
    )
    for levels in pieces:
        samples = synthesis(levels).cpu().numpy()
        for wave, row in zip(waves, samples):
            wave[done : done + len(row)] = row[: max(len(wave) - done, 0)]
        done += levels.shape[1]
        if on_frame is not None:
            on_frame(done // request.hop)
    return waves
