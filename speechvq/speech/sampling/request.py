"""What several streams are to say: codes, voices and pitch at the code rate, read piece by piece."""

from typing import NamedTuple

import torch
from torch import Tensor

from speechvq.audio.f0_conditioning import fill_unvoiced
from speechvq.speech.decoder.wavenet import WaveNet


class Piece(NamedTuple):
    """What the decoder is told in some code frames."""

    biases: Tensor  # (B, layers x 2 residual, n), of the gates
    phases: Tensor | None  # (B, n x hop), uint8, classes of `audio.phase`


class Script(NamedTuple):
    """Codes, voices and pitch of all streams; small beside the sound, so all of it is at hand."""

    vectors: Tensor  # (B, N, D), quantised
    speaker: Tensor  # (B,), int64
    hop: int  # samples a frame
    pitch: Tensor | None = None  # (B, N), Hz, 0 where unvoiced; for a decoder that is told the pitch
    frames: Tensor | None = None  # (B,), how many of the N are each stream's own; None for all
    phase: Tensor | None = None  # (B, N x hop), uint8; for a decoder that is told the phase

    def lengths(self) -> list[int]:
        """Code frames of each stream."""
        return [self.vectors.shape[1]] * len(self.vectors) if self.frames is None else self.frames.tolist()

    def rows(self, numbers: list[int]) -> "Script":
        """Some of the streams."""
        chosen = {
            name: part[numbers] if isinstance(part, Tensor) else part for name, part in self._asdict().items()
        }
        return Script(**chosen)

    @torch.no_grad()
    def read(self, wavenet: WaveNet, first: int, last: int) -> Piece:
        """What the decoder is told in code frames first to last: as in the whole, in the memory of a part."""
        part, own = self.excerpt(first, last, wavenet.conditioning.network.reach)
        biases = wavenet.conditioning(part.vectors, part.speaker, part.pitch, part.frames)[..., own]
        phases = None
        if wavenet.phases is not None and self.phase is not None:
            phases = self.phase[:, first * self.hop : last * self.hop]
        return Piece(biases, phases)

    def excerpt(self, first: int, last: int, reach: int) -> tuple["Script", slice]:
        """Code frames first to last with `reach` on either side, and where these frames are in it."""
        low, high = max(first - reach - 1, 0), min(last + reach + 1, self.vectors.shape[1])
        part = self._replace(
            vectors=self.vectors[:, low:high],
            pitch=None if self.pitch is None else _excerpt(self.pitch, low, high),
            frames=None if self.frames is None else (self.frames - low).clamp(0, high - low),
            phase=None if self.phase is None else self.phase[:, low * self.hop : high * self.hop],
        )
        return part, slice(first - low, last - low)


def _excerpt(pitch: Tensor, low: int, high: int) -> Tensor:
    """Frames low to high of a contour that are held as in the whole: (B, N) to (B, high - low).

    Where it is unvoiced a contour is held, from beyond the excerpt if need be; so its outermost frames, which nothing
    else looks at, take what is held there.
    """
    part, held = pitch[:, low:high].clone(), fill_unvoiced(pitch)
    if low > 0:
        part[:, 0] = held[:, low]
    if high < pitch.shape[1]:
        part[:, -1] = held[:, high - 1]
    return part
