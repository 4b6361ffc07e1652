"""Synthesis requests to waveforms: random numbers from a seed, the sampler, and post-processing."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import inf
from typing import get_args

import numpy as np
import torch
from torch import Tensor

from speechvq.errors import UserError
from speechvq.speech.decoder.decoder import Decoder
from speechvq.speech.sampling.postprocess import Postprocessor
from speechvq.speech.sampling.request import Engine, Precision, SynthesisRequest, Uniforms
from speechvq.speech.sampling.sampler import sample_chunks
from speechvq.speech.sampling.vocode import vocode


@dataclass(frozen=True)
class SamplingOptions:
    """How the decoder samples.

    Attributes:
        seed: of the random numbers. All streams use the same ones, so a stream does not depend on its batch.
        temperature: divides the logits; 0 takes the most likely bin.
        top_p: keeps the fewest bins that together have this probability (nucleus sampling).
            Temperature and top_p, engine and precision are of a WaveNet; a vocoder has none of them.
        harmonic_boost: fraction, 0 to 1, of the noise energy in voiced frames that the harmonics take over,
            see `SourceFilter.forward`; ignored by a decoder without a source-filter model.
        engine: see `sample_chunks`.
        precision: see `sample_chunks`.
    """

    seed: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    harmonic_boost: float = 0.9
    engine: Engine = "auto"
    precision: Precision = "fp32"

    def __post_init__(self) -> None:
        """Raises ValueError for an option out of range."""
        if not 0 <= self.seed < 2**63 or int(self.seed) != self.seed:
            raise ValueError(f"seed is {self.seed}; it must be a whole number from 0 to 2^63 - 1")
        if not 0 <= self.temperature < inf:
            raise ValueError(f"temperature is {self.temperature}; it must be finite and not negative")
        for name in ("top_p", "harmonic_boost"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is {getattr(self, name)}; it must lie in [0, 1]")
        for name, choices in (("engine", get_args(Engine)), ("precision", get_args(Precision))):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name} is '{getattr(self, name)}'; it must be one of {', '.join(choices)}")


def random_uniforms(seed: int, start: int, stop: int) -> Tensor:
    """Uniform random numbers start to stop of the endless sequence of a seed: (stop - start,), float64."""
    generator = np.random.Generator(np.random.PCG64(seed).advance(start))
    return torch.from_numpy(generator.random(stop - start))


def synthesize(
    decoder: Decoder,
    request: SynthesisRequest,
    options: SamplingOptions,
    *,
    offsets: Sequence[int] | None = None,
    on_frame: Callable[[int], None] | None = None,
) -> list[np.ndarray]:
    """Waveforms of all streams; the memory is that of the waveforms.

    Args:
        decoder: of the model.
        request: codes and conditions of the streams.
        options: how to sample.
        offsets: first sample of each stream within a longer recording; its random numbers start there. None
            for 0.
        on_frame: called now and then with the number of code frames that are done.

    Returns:
        One (frames x hop,) float32 for each stream, at the level of the training data.
    """
    device, lengths = request.vectors.device, [frames * request.hop for frames in request.lengths()]
    starts = [0] * len(lengths) if offsets is None else offsets

    def uniforms(start: int, stop: int) -> Tensor:
        rows = {
            offset: random_uniforms(options.seed, offset + start, offset + stop) for offset in set(starts)
        }
        return torch.stack([rows[offset] for offset in starts]).to(device)

    waves, done = [np.empty(length, np.float32) for length in lengths], 0
    for samples in _chunks(decoder, request, options, uniforms):
        for wave, row in zip(waves, samples.cpu().numpy()):
            wave[done : done + len(row)] = row[: max(len(wave) - done, 0)]
        done += samples.shape[1]
        if on_frame is not None:
            on_frame(done // request.hop)
    return waves


def _chunks(
    decoder: Decoder, request: SynthesisRequest, options: SamplingOptions, uniforms: Uniforms
) -> Iterator[Tensor]:
    """Waveforms of all streams, (B, n) for one chunk after the other."""
    if decoder.wavenet is None:
        _refuse_wavenet_options(options)
        yield from vocode(decoder, request, uniforms, options.harmonic_boost)
        return
    postprocessor = Postprocessor(decoder, request, options.harmonic_boost)
    chunks = sample_chunks(
        decoder.wavenet,
        request,
        uniforms,
        temperature=options.temperature,
        top_p=options.top_p,
        engine=options.engine,
        precision=options.precision,
    )
    yield from map(postprocessor, chunks)


def _refuse_wavenet_options(options: SamplingOptions) -> None:
    """Refuse options that a vocoder does not have.

    Raises:
        UserError: names them.
    """
    plain = SamplingOptions()
    for name in ("temperature", "top_p", "precision"):
        if getattr(options, name) != getattr(plain, name):
            raise UserError(
                f"{name}={getattr(options, name)}: this model has a vocoder, which has no such option"
            )
