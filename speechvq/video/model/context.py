"""What a prior over the next frame is told at every position: the frames before it, and what is done."""

import torch
from torch import Tensor, nn

from speechvq.config.video import VideoPriorConfig
from speechvq.priors.grid.pixelcnn import CodeEmbedding, Grid, gate

DILATIONS = (1, 2, 4)  # of one block after the other: three of them see 7 positions each way


class ContextBlock(nn.Module):
    """Gated convolution 3x3 and convolution 1x1, and round them; the action opens and closes the gates.

    So every action has channels of its own that it lets pass: what is seen moves in another way under each.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.wide = nn.Conv2d(channels, 2 * channels, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, action: Tensor | float) -> Tensor:
        """(B, C, H, W) and what the action adds before the gates, (B, 2 C, 1, 1), to (B, C, H, W)."""
        return x + self.out(gate(self.wide(x) + action))


class ContextNetwork(nn.Module):
    """The codes of the past and the action as a map of vectors, which each code of the next frame may see.

    Every position has a vector of its own besides: a floor moves otherwise than a wall, and it is below.
    """

    def __init__(self, config: VideoPriorConfig, grid: Grid, actions: int) -> None:
        """
        Args:
            config: sizes, and what is told.
            grid: the shape of a frame's codes.
            actions: how many there are.
        """
        super().__init__()
        channels, self.past = config.channels, config.context_frames
        of_all = grid._replace(codes_per_position=config.context_frames * grid.codes_per_position)
        self.code_embedding = CodeEmbedding(of_all, channels) if config.context_frames else None
        self.position_embedding = nn.Parameter(0.1 * torch.randn(channels, grid.height, grid.width))
        self.blocks = nn.ModuleList(
            ContextBlock(channels, DILATIONS[i % len(DILATIONS)]) for i in range(config.blocks)
        )
        self.action_embedding = (
            nn.Embedding(actions, 2 * channels * config.blocks) if config.actions else None
        )

    def forward(self, context_frames: Tensor, action: Tensor) -> Tensor:
        """(B, past, H, W, G) int64, the oldest frame first, and (B,) int64 to (B, H, W, C)."""
        alike = (
            self.code_embedding is None and self.action_embedding is None
        )  # told nothing, all of a batch have the same map
        x = self.position_embedding.expand(1 if alike else len(context_frames), -1, -1, -1)
        if self.code_embedding is not None:
            every = context_frames.permute(0, 2, 3, 1, 4).flatten(3)
            x = x + self.code_embedding(every).sum(3).permute(0, 3, 1, 2) / self.past**0.5
        parts = [0.0] * len(self.blocks)
        if self.action_embedding is not None and self.blocks:
            parts = self.action_embedding(action)[:, :, None, None].chunk(len(self.blocks), dim=1)
        for block, part in zip(self.blocks, parts):
            x = block(x, part)
        return x.permute(0, 2, 3, 1).expand(len(context_frames), -1, -1, -1)
