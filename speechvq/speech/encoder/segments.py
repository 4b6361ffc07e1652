"""Splitting a long waveform into segments with context: bounded memory, the same frames."""

from typing import NamedTuple

from torch import Tensor


class Segment(NamedTuple):
    """A part of a waveform, with its neighborhood."""

    wave: Tensor  # (1, T), the segment with its context on both sides
    frames: slice  # the frames of `wave` that belong to the segment itself

    def samples(self, hop: int) -> slice:
        """The samples of `wave` that belong to the segment itself."""
        return slice(self.frames.start * hop, self.frames.stop * hop)


def split_into_segments(wave: Tensor, hop: int, length: int, context: int) -> list[Segment]:
    """Segments that cover a waveform once.

    Args:
        wave: (T,), T a multiple of the hop.
        hop: samples per frame.
        length: frames per segment; the last one may be shorter.
        context: frames of the waveform kept on both sides of each segment.
    """
    segments = []
    for start in range(0, len(wave) // hop, length):
        first = max(start - context, 0)
        part = wave[None, first * hop : (start + length + context) * hop]
        valid = slice(start - first, min(start - first + length, part.shape[1] // hop))
        segments.append(Segment(part, valid))
    return segments
