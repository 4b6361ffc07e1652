"""A small network over code frames: cheap beside anything that runs at the sample rate."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import f0_features


class FrameNetwork(nn.Module):
    """Convolutions of width 3 over what a decoder is told: codes, voice and pitch (our choice)."""

    def __init__(
        self, dim: int, speaker_dim: int, channels: int, *, depth: int, pitch: bool, dilated: bool = False
    ) -> None:
        """
        Args:
            dim: D, of the codes' vectors.
            voice: width of a speaker's vector.
            units: C, of each layer.
            depth: how many layers.
            pitch: whether it is told the pitch.
            doubling: whether each layer looks twice as far to either side as the last, instead of a frame.
        """
        super().__init__()
        self.pitch = pitch
        widths = [dim + speaker_dim + (2 if pitch else 0)] + [channels] * depth
        steps = [2**i if dilated else 1 for i in range(depth)]
        self.layers = nn.ModuleList(
            nn.Conv1d(a, b, 3, padding=step, dilation=step) for a, b, step in zip(widths, widths[1:], steps)
        )

    @property
    def context_frames(self) -> int:
        """Frames on either side that an output depends on."""
        return sum(layer.dilation[0] for layer in self.layers)

    def forward(
        self, vectors: Tensor, speaker_vectors: Tensor, f0: Tensor | None = None, frames: Tensor | None = None
    ) -> Tensor:
        """One vector a code frame.

        Args:
            vectors: (B, N, D), quantised.
            voices: (B, V), the speakers' vectors.
            pitch: (B, N), Hz, 0 where unvoiced; where it is told the pitch.
            frames: (B,), how many of the N are each string's own; what follows counts as the edge, where there is
                nothing. None for all.

        Returns:
            (B, C, N).
        """
        parts = [vectors.transpose(1, 2), speaker_vectors.unsqueeze(-1).expand(-1, -1, vectors.shape[1])]
        if self.pitch:
            assert f0 is not None, "this decoder needs a pitch contour"
            parts.append(f0_features(f0))
        x = torch.cat(parts, dim=1)
        own = None if frames is None else torch.arange(x.shape[-1], device=x.device) < frames[:, None, None]
        for i, layer in enumerate(self.layers):
            y = layer(x if own is None else x * own)
            x = F.relu(y if i == 0 else x + y)
        return x
