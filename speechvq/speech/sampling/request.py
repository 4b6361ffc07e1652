"""Codes, speakers and F0 of several streams, and the conditioning that the decoder gets from them."""

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import f0_at_code_rate, fill_unvoiced
from speechvq.speech.decoder.wavenet import WaveNet

Engine: TypeAlias = Literal["auto", "numba", "torch"]
Precision: TypeAlias = Literal["fp32", "bf16"]
Uniforms: TypeAlias = Callable[[int, int], Tensor]  # random numbers start to stop of all streams: (B, T)


class ConditioningChunk(NamedTuple):
    """Conditioning of the decoder for n code frames."""

    biases: Tensor  # (B, layers x 2 R, n), added to the gates
    phases: Tensor | None  # (B, n x hop), uint8, bins of `audio.glottal_phase`


class SynthesisRequest(NamedTuple):
    """Inputs of the decoder for all streams; they are small, so all of them stay in memory."""

    vectors: Tensor  # (B, N, D), quantized
    speaker: Tensor  # (B,), int64
    hop: int  # samples per code frame
    f0: Tensor | None = None  # (B, N), Hz, 0 where unvoiced; for a decoder conditioned on F0
    num_frames: Tensor | None = None  # (B,), valid frames of each stream; None for all N
    phase: Tensor | None = None  # (B, N x hop), uint8; for a decoder conditioned on the phase

    def lengths(self) -> list[int]:
        """Number of code frames of each stream."""
        return (
            [self.vectors.shape[1]] * len(self.vectors)
            if self.num_frames is None
            else self.num_frames.tolist()
        )

    def select(self, indices: list[int]) -> "SynthesisRequest":
        """A request with some of the streams, by their indices."""
        return self._replace(
            vectors=self.vectors[indices],
            speaker=self.speaker[indices],
            f0=None if self.f0 is None else self.f0[indices],
            num_frames=None if self.num_frames is None else self.num_frames[indices],
            phase=None if self.phase is None else self.phase[indices],
        )

    @torch.no_grad()
    def conditioning(self, wavenet: WaveNet, start: int, stop: int) -> ConditioningChunk:
        """Conditioning of code frames start to stop, equal to the same part of the whole."""
        part, valid = self.with_context(start, stop, wavenet.conditioning.network.context_frames)
        biases = wavenet.conditioning(part.vectors, part.speaker, part.f0, part.num_frames)[..., valid]
        phases = None
        if wavenet.phase_embedding is not None and self.phase is not None:
            phases = self.phase[:, start * self.hop : stop * self.hop]
        return ConditioningChunk(biases, phases)

    def with_context(self, start: int, stop: int, context: int) -> tuple["SynthesisRequest", slice]:
        """Code frames start to stop with `context` frames on both sides, and the slice of the former."""
        low, high = max(start - context - 1, 0), min(stop + context + 1, self.vectors.shape[1])
        part = self._replace(
            vectors=self.vectors[:, low:high],
            f0=None if self.f0 is None else _slice_f0(self.f0, low, high),
            num_frames=None if self.num_frames is None else (self.num_frames - low).clamp(0, high - low),
            phase=None if self.phase is None else self.phase[:, low * self.hop : high * self.hop],
        )
        return part, slice(start - low, stop - low)


def batch_f0(contours: Sequence[np.ndarray], frames: Sequence[int], hop: int) -> Tensor:
    """F0 contours at the code rate, padded: one (F,) per stream, 10 ms apart, to (B, N).

    Args:
        contours: Hz, 0 where unvoiced; an empty one counts as unvoiced.
        frames: code frames of each stream.
        hop: samples per code frame.
    """
    rows = [
        f0_at_code_rate(torch.from_numpy(one)[None], count, hop)[0] if len(one) else torch.zeros(count)
        for one, count in zip(contours, frames)
    ]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def batch_phase(phases: Sequence[np.ndarray], samples: Sequence[int]) -> Tensor:
    """Phase bins cut to each stream's number of samples and padded: one (T,) per stream to (B, T), uint8."""
    rows = [torch.from_numpy(np.asarray(one[:count], np.uint8)) for one, count in zip(phases, samples)]
    return nn.utils.rnn.pad_sequence(rows, batch_first=True)


def _slice_f0(f0: Tensor, low: int, high: int) -> Tensor:
    """Frames low to high of contours that are filled like the whole: (B, N) to (B, high - low).

    The value that fills an unvoiced stretch may lie outside of the slice. The first and last frame of the
    slice, which are beyond the context of every output, therefore take the filled value.
    """
    part, filled = f0[:, low:high].clone(), fill_unvoiced(f0)
    if low > 0:
        part[:, 0] = filled[:, low]
    if high < f0.shape[1]:
        part[:, -1] = filled[:, high - 1]
    return part
