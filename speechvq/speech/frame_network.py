"""A small network at the code rate; its cost is low compared with a network at the sample rate."""

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.audio.f0_conditioning import f0_features


class FrameConv(nn.Conv1d):
    """A dilated convolution whose output depends on a limited number of later frames."""

    def __init__(self, below: int, above: int, dilation: int, lookahead: int, width: int = 3) -> None:
        """
        Args:
            below: input channels.
            above: output channels.
            dilation: d, frames between the inputs of an output.
            lookahead: later frames that an output depends on, at most as many as in a symmetric convolution.
                The last input of the output at t is that at t + lookahead.
            width: inputs of an output, odd.
        """
        # A symmetric convolution pads by itself, which rounds differently.
        padding = lookahead if lookahead == dilation * (width // 2) else 0
        super().__init__(below, above, width, padding=padding, dilation=dilation)
        self.around = (dilation * (width - 1) - lookahead, lookahead)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, N) to (B, C', N)."""
        return super().forward(x if self.padding[0] else F.pad(x, self.around))


def split_lookahead(dilations: Sequence[int], lookahead: int) -> list[int]:
    """Later frames that each layer of a stack sees, so that the stack sees `lookahead` of them.

    Layers become symmetric from the first one on, as far as the number goes. What remains goes to the first
    layers that have none.

    Args:
        dilations: of each layer.
        lookahead: later frames in all; negative for symmetric layers.
    """
    if lookahead < 0:
        return list(dilations)
    parts = []
    for dilation in dilations:
        parts.append(dilation if dilation <= lookahead else 0)
        lookahead -= parts[-1]
    for i, dilation in enumerate(dilations):
        if not parts[i]:
            parts[i] = min(dilation, lookahead)
            lookahead -= parts[i]
    return parts


class FrameNetwork(nn.Module):
    """Residual convolutions of width 3 over code vectors, speaker embedding and F0 (our choice)."""

    layers: Sequence[FrameConv]

    def __init__(
        self,
        dim: int,
        speaker_dim: int,
        channels: int,
        *,
        depth: int,
        condition_on_f0: bool,
        dilations: Sequence[int] = (1,),
        lookahead: int = -1,
    ) -> None:
        """
        Args:
            dim: D, width of the code vectors.
            speaker_dim: V, width of the speaker embedding.
            channels: C, of each layer.
            depth: number of layers.
            condition_on_f0: whether F0 is an input.
            dilations: of each layer, in frames; repeated cyclically where there are more layers.
            lookahead: later frames that an output depends on; negative for symmetric layers.
        """
        super().__init__()
        self.condition_on_f0 = condition_on_f0
        widths = [dim + speaker_dim + (2 if condition_on_f0 else 0)] + [channels] * depth
        cycle = [dilations[i % len(dilations)] for i in range(depth)]
        layers = nn.ModuleList(
            FrameConv(below, above, dilation, later)
            for below, above, dilation, later in zip(
                widths, widths[1:], cycle, split_lookahead(cycle, lookahead)
            )
        )
        self.layers = cast(Sequence[FrameConv], layers)

    @property
    def context_frames(self) -> int:
        """Frames on each side that an output may depend on."""
        return max(sum(layer.around[side] for layer in self.layers) for side in (0, 1))

    def forward(
        self,
        vectors: Tensor,
        speaker_embedding: Tensor,
        f0: Tensor | None = None,
        num_frames: Tensor | None = None,
    ) -> Tensor:
        """Outputs at the frame rate.

        Args:
            vectors: (B, N, D), quantized.
            speaker_embedding: (B, V).
            f0: (B, N), Hz, 0 where unvoiced; for a network that is conditioned on F0.
            num_frames: (B,), frames of each row; later frames are padding, and count as zeros. None if no row
                is padded.

        Returns:
            (B, C, N).
        """
        inputs = [vectors.transpose(1, 2), speaker_embedding.unsqueeze(-1).expand(-1, -1, vectors.shape[1])]
        if self.condition_on_f0:
            assert f0 is not None, "this decoder needs an F0 contour"
            inputs.append(f0_features(f0))
        x = torch.cat(inputs, dim=1)
        mask = None
        if num_frames is not None:
            mask = torch.arange(x.shape[-1], device=x.device) < num_frames[:, None, None]
        for i, layer in enumerate(self.layers):
            y = layer(x if mask is None else x * mask)
            x = F.relu(y if i == 0 else x + y)
        return x
