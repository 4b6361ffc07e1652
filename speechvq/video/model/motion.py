"""The next frame as the last one moved: what a prior over codes can know of it before the first code.

The paper's prior sees the past as codes (van den Oord et al. 2017, 4.4). Codes are a grid of four pixels, and
what is seen moves by less: after one pixel half of the codes are others. So the last frame's picture is moved,
as spatial transformers do (Jaderberg et al. 2015) and robots that imagine pushing (Finn et al. 2016), and read
again by the image model's own encoder. Our choice.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from speechvq.config.video import VideoPriorConfig
from speechvq.images.vqvae import ImageVQ
from speechvq.priors.grid.pixelcnn import Grid
from speechvq.video.model.context import ContextNetwork

SEEN = 2  # frames that tell how near things are, and how they moved before
SCALES = (1, 2, 4, 8)  # pixels; at the coarse ones, things that moved far still overlap


class WarpedFrame(NamedTuple):
    """Pictures after a move."""

    images: Tensor  # (B, 3, S, S), float, 0 to 255
    visibility: Tensor  # (B, 1, S, S), float: 0 where what is seen now was out of sight, else 1


class Motion(nn.Module):
    """How what is seen moves under an action, learnt from pictures alone.

    A turn moves a point by what its place alone tells, a step the more, the nearer it is. So the move is a table
    of places and actions, plus another one times a few numbers that a network reads from the codes.
    """

    def __init__(self, config: VideoPriorConfig, grid: Grid, image: ImageVQ, actions: int) -> None:
        """
        Args:
            config: sizes, and whether actions are told.
            grid: the shape of a frame's codes.
            image: the model whose codes they are; it is not taught here.
            actions: how many there are.
        """
        super().__init__()
        self.image = image.requires_grad_(False).eval()
        seen = VideoPriorConfig(
            context_frames=min(SEEN, config.context_frames),
            actions=config.actions,
            channels=config.motion.channels,
            blocks=config.motion.blocks,
        )
        self.context = ContextNetwork(seen, grid, actions)
        self.depth_features = nn.Linear(seen.channels, config.motion.depth_features)
        told = actions if config.actions else 1
        self.flow_bias = nn.Parameter(torch.zeros(told, 2, grid.height, grid.width))
        outwards = _places(self.flow_bias)  # (1, 2, H, W): walking in, all moves away from the middle
        drawn = 0.1 * torch.randn(told, 2, config.motion.depth_features, grid.height, grid.width)
        self.flow_basis = nn.Parameter(drawn * outwards[:, :, None])

    def train(self, mode: bool = True) -> "Motion":
        """As of nn.Module; the image model stays in evaluation mode, for its codes must stay the same."""
        super().train(mode)
        self.image.eval()
        return self

    def forward(self, past: Tensor, action: Tensor) -> WarpedFrame:
        """The last of some frames, (B, past, H, W, G) int64, after an action, (B,) int64."""
        seen = past[:, past.shape[1] - self.context.past :]
        nearness = self.depth_features(self.context(seen, action))
        action = action if len(self.flow_bias) > 1 else torch.zeros_like(action)
        way = self.flow_bias[action] + torch.einsum("bdnhw,bhwn->bdhw", self.flow_basis[action], nearness)
        with torch.no_grad():
            last = self.image.decode(past[:, -1]).to(way.dtype)
        from_where = _places(last) + F.interpolate(way, size=last.shape[2:], mode="bilinear")
        places = from_where.permute(0, 2, 3, 1)
        pictures = F.grid_sample(last, places, padding_mode="border", align_corners=False)
        return WarpedFrame(pictures, (from_where.abs() <= 1).all(1, keepdim=True).to(way.dtype))

    def loss(self, codes: Tensor, actions: Tensor) -> Tensor:
        """How far the last of some frames is from what the one before becomes.

        Args:
            codes: (B, past + 1, H, W, G), int64, with no more past than is told a prior.
            actions: (B, past), int64; the last one is looked at.

        Returns:
            (): the mean |difference| of sub-pixels of 0 to 1, summed over SCALES.
        """
        moved = self(codes[:, :-1], actions[:, -1])
        with torch.no_grad():
            true = self.image.decode(codes[:, -1]).to(moved.images.dtype)
        wrong = (moved.images - true) / 255
        return torch.stack([F.avg_pool2d(wrong, scale).abs().mean() for scale in SCALES]).sum()

    def encode_warped(self, moved: WarpedFrame) -> tuple[Tensor, Tensor]:
        """What the encoder makes of moved pictures: (B, H, W, G, D), and how much was in sight, (B, H, W, 1)."""
        vectors = self.image.encoder(moved.images)
        known = F.adaptive_avg_pool2d(moved.visibility, vectors.shape[1:3]).permute(0, 2, 3, 1)
        return vectors, known

    def code_logits(self, vectors: Tensor) -> Tensor:
        """How near each entry of the codebook is: (B, H, W, G, D) to minus the squared distance, (B, H, W, G, K)."""
        entries = self.image.entries().to(vectors.dtype)  # (K, G, D)
        products = torch.einsum("bhwgd,kgd->bhwgk", vectors, entries)
        lengths = entries.square().sum(-1).t()  # (G, K)
        return 2 * products - lengths - vectors.square().sum(-1, keepdim=True)


def _places(like: Tensor) -> Tensor:
    """Where the positions of a map (..., H, W) are, across and down, in grid_sample's -1 to 1: (1, 2, H, W)."""
    same = torch.eye(2, 3, dtype=like.dtype, device=like.device)[None]
    return F.affine_grid(same, [1, 1, *like.shape[-2:]], align_corners=False).permute(0, 3, 1, 2)
