"""What several streams are to say: codes, voices and pitch at the code rate, read piece by piece."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import f0_at_code_rate, fill_unvoiced
from speechvq.speech.decoder.wavenet import WaveNet


class ConditioningChunk(NamedTuple):
    """What the decoder is told in some code frames."""

    biases: Tensor  # (B, layers x 2 residual, n), of the gates
    phases: Tensor | None  # (B, n x hop), uint8, classes of `audio.phase`


class SynthesisRequest(NamedTuple):
    """Codes, voices and pitch of all streams; small beside the sound, so all of it is at hand."""

    vectors: Tensor  # (B, N, D), quantised
    speaker: Tensor  # (B,), int64
    hop: int  # samples a frame
    f0: Tensor | None = None  # (B, N), Hz, 0 where unvoiced; for a decoder that is told the pitch
    num_frames: Tensor | None = None  # (B,), how many of the N are each stream's own; None for all
    phase: Tensor | None = None  # (B, N x hop), uint8; for a decoder that is told the phase

    def lengths(self) -> list[int]:
        """Code frames of each stream."""
        return (
            [self.vectors.shape[1]] * len(self.vectors)
            if self.num_frames is None
            else self.num_frames.tolist()
        )

    def select(self, numbers: list[int]) -> "SynthesisRequest":
        """Some of the streams."""
        chosen = {
            name: part[numbers] if isinstance(part, Tensor) else part for name, part in self._asdict().items()
        }
        return SynthesisRequest(**chosen)

    @torch.no_grad()
    def conditioning(self, wavenet: WaveNet, first: int, last: int) -> ConditioningChunk:
        """What the decoder is told in code frames first to last: as in the whole, in the memory of a part."""
        part, own = self.with_context(first, last, wavenet.conditioning.network.context_frames)
        biases = wavenet.conditioning(part.vectors, part.speaker, part.f0, part.num_frames)[..., own]
        phases = None
        if wavenet.phase_embedding is not None and self.phase is not None:
            phases = self.phase[:, first * self.hop : last * self.hop]
        return ConditioningChunk(biases, phases)

    def with_context(self, first: int, last: int, reach: int) -> tuple["SynthesisRequest", slice]:
        """Code frames first to last with `reach` on either side, and where these frames are in it."""
        low, high = max(first - reach - 1, 0), min(last + reach + 1, self.vectors.shape[1])
        part = self._replace(
            vectors=self.vectors[:, low:high],
            f0=None if self.f0 is None else _slice_f0(self.f0, low, high),
            num_frames=None if self.num_frames is None else (self.num_frames - low).clamp(0, high - low),
            phase=None if self.phase is None else self.phase[:, low * self.hop : high * self.hop],
        )
        return part, slice(first - low, last - low)


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
    """Frames low to high of a contour that are held as in the whole: (B, N) to (B, high - low).

    Where it is unvoiced a contour is held, from beyond the excerpt if need be; so its outermost frames, which nothing
    else looks at, take what is held there.
    """
    part, held = f0[:, low:high].clone(), fill_unvoiced(f0)
    if low > 0:
        part[:, 0] = held[:, low]
    if high < f0.shape[1]:
        part[:, -1] = held[:, high - 1]
    return part
