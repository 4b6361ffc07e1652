"""The network that conditions the next frame's codes on past frames and the action."""

from typing import cast

import torch
from torch import Tensor, nn

from speechvq.config.video import VideoPriorConfig
from speechvq.priors.grid.pixelcnn import CodeEmbedding, Grid, gate

DILATIONS = (1, 2, 4)  # of successive blocks; three blocks see 7 positions to each side


class ContextBlock(nn.Module):
    """A gated 3x3 convolution and a 1x1 convolution with a residual connection.

    The action adds a bias before the gates, so each action can select its own channels.
    """

    def __init__(self, channels: int, dilation: int) -> None:
        super().__init__()
        self.conv3 = nn.Conv2d(channels, 2 * channels, 3, padding=dilation, dilation=dilation)
        self.out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, action_bias: Tensor | float) -> Tensor:
        """(B, C, H, W), and the action's bias (B, 2 C, 1, 1) or 0, to (B, C, H, W)."""
        return x + self.out(gate(self.conv3(x) + action_bias))


class ContextNetwork(nn.Module):
    """Maps the codes of past frames and the action to a feature vector for each position of the next frame.

    A learned embedding of each position is added, because floor and walls move differently.
    """

    def __init__(self, config: VideoPriorConfig, grid: Grid, num_actions: int) -> None:
        """
        Args:
            config: sizes, and whether the action is an input.
            grid: the shape of a frame's codes.
            num_actions: number of possible actions.
        """
        super().__init__()
        channels, self.context_frames = config.channels, config.context_frames
        stacked = grid._replace(codes_per_position=config.context_frames * grid.codes_per_position)
        self.code_embedding = CodeEmbedding(stacked, channels) if config.context_frames else None
        self.position_embedding = nn.Parameter(0.1 * torch.randn(channels, grid.height, grid.width))
        self.blocks = nn.ModuleList(
            ContextBlock(channels, DILATIONS[i % len(DILATIONS)]) for i in range(config.blocks)
        )
        bias_channels = 2 * channels * config.blocks
        self.action_embedding = nn.Embedding(num_actions, bias_channels) if config.actions else None

    def forward(self, past: Tensor, action: Tensor) -> Tensor:
        """Features of each position.

        Args:
            past: (B, context_frames, H, W, G), int64, the oldest frame first.
            action: (B,), int64.

        Returns:
            (B, H, W, C).
        """
        # Without inputs, the features are the same for the whole batch.
        has_inputs = self.code_embedding is not None or self.action_embedding is not None
        x = self.position_embedding.expand(len(past) if has_inputs else 1, -1, -1, -1)
        if self.code_embedding is not None:
            stacked = past.permute(0, 2, 3, 1, 4).flatten(3)
            embedded = self.code_embedding(stacked).sum(3).permute(0, 3, 1, 2)
            x = x + embedded / self.context_frames**0.5
        biases: tuple[Tensor | float, ...] = (0.0,) * len(self.blocks)
        if self.action_embedding is not None and self.blocks:
            biases = self.action_embedding(action)[:, :, None, None].chunk(len(self.blocks), dim=1)
        for block, bias in zip(cast(list[ContextBlock], self.blocks), biases):
            x = block(x, bias)
        return x.permute(0, 2, 3, 1).expand(len(past), -1, -1, -1)
