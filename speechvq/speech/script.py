"""What several streams are to say: codes, voices and pitch at the code rate, read piece by piece."""

from typing import NamedTuple

import torch
from torch import Tensor

from speechvq.speech.contour import hold_unvoiced, periods
from speechvq.speech.wavenet import WaveNet

REACH = 2  # code frames on either side that the decoder's conditioning looks at: two convolutions of width 3


class Piece(NamedTuple):
    """What the decoder is told in some code frames."""

    biases: Tensor  # (B, layers x 2 residual, n), of the gates
    taps: Tensor | None  # (B, taps + 1, n), the linear predictor's weights
    lags: Tensor | None  # (B, n x hop), int64, pitch periods in samples


class Script(NamedTuple):
    """Codes, voices and pitch of all streams; small beside the sound, so all of it is at hand."""

    vectors: Tensor  # (B, N, D), quantised
    speaker: Tensor  # (B,), int64
    hop: int  # samples a frame
    pitch: Tensor | None = None  # (B, N), Hz, 0 where unvoiced; for a decoder that is told the pitch
    frames: Tensor | None = None  # (B,), how many of the N are each stream's own; None for all

    def lengths(self) -> list[int]:
        """Code frames of each stream."""
        return [self.vectors.shape[1]] * len(self.vectors) if self.frames is None else self.frames.tolist()

    def rows(self, numbers: list[int]) -> "Script":
        """Some of the streams."""
        parts = (self.vectors, self.speaker, None, self.pitch, self.frames)
        return Script(*(self.hop if i == 2 else None if p is None else p[numbers] for i, p in enumerate(parts)))

    @torch.no_grad()
    def read(self, wavenet: WaveNet, first: int, last: int) -> Piece:
        """What the decoder is told in code frames first to last: as in the whole, in the memory of a part."""
        low, high = max(first - REACH - 1, 0), min(last + REACH + 1, self.vectors.shape[1])
        own = slice(first - low, last - low)
        pitch = None if self.pitch is None else _excerpt(self.pitch, low, high)
        frames = None if self.frames is None else (self.frames - low).clamp(0, high - low)
        features = wavenet.conditioning.features(self.vectors[:, low:high], self.speaker, pitch, frames)[..., own]
        lags = None
        if wavenet.config.long_taps and pitch is not None:
            lags = periods(pitch, (high - low) * self.hop)[:, own.start * self.hop : own.stop * self.hop]
        taps = None if wavenet.predictor is None else wavenet.predictor.weights(features)
        return Piece(wavenet.conditioning(features), taps, lags)


def _excerpt(pitch: Tensor, low: int, high: int) -> Tensor:
    """Frames low to high of a contour that are held as in the whole: (B, N) to (B, high - low).

    Where it is unvoiced a contour is held, from beyond the excerpt if need be; so its outermost frames, which nothing
    else looks at, take what is held there.
    """
    part, held = pitch[:, low:high].clone(), hold_unvoiced(pitch)
    if low > 0:
        part[:, 0] = held[:, low]
    if high < pitch.shape[1]:
        part[:, -1] = held[:, high - 1]
    return part
